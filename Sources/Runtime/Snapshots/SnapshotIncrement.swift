internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// Makes a new snapshot's memory an incremental one of an earlier snapshot's.
///
/// The new snapshot's directory gets links of its own to the files that it needs of the earlier one. So either one can be removed at any time,
/// and a process that is killed leaves nothing to repair.
struct SnapshotIncrement {
    private static let wholeName = "memory.whole"

    /// The new snapshot's directory, which is being made; it has all of the memory.
    let work: String
    let earlier: Snapshot

    /// - Returns: the files of earlier snapshots that the new one has links to; nil for a memory that is kept whole.
    /// - Throws: errors of new files. The earlier snapshot may go meanwhile: then the memory is kept whole.
    func make() throws(AerieError) -> [SnapshotRecord.Layer]? {
        let (memory, whole, map) = (path(Snapshot.memoryName), path(Self.wholeName), path(Snapshot.mapName))
        do throws(SystemError) {
            _ = try checked("rename \(memory)") { rename(memory, whole) }
            guard let others = try compare(whole: whole, own: memory, map: map), let layers = link(others) else {
                unlink(map)
                _ = try checked("rename \(whole)") { rename(whole, memory) }
                return nil
            }
            _ = try checked("unlink \(whole)") { unlink(whole) }
            return layers
        } catch {
            throw AerieError(
                .notStarted, asked: "a snapshot", found: error.description,
                advice: "the machine is unharmed; make room, or choose another place")
        }
    }

    /// Code beyond that of the earlier snapshot, in percent of that, with which a snapshot has a file of its own.
    private static let muchNewCode: UInt64 = 25

    /// Replaces the generated code by the earlier snapshot's if that is for the same program and host, and nearly as much: a machine
    /// generates the rest again.
    func shareCode() {
        let (own, other) = (path(Snapshot.codeName), earlier.file(Snapshot.codeName))
        guard earlier.hasCode,
            let file = try? FileDescriptor(path: own, flags: O_RDONLY | O_NOFOLLOW),
            let otherFile = try? FileDescriptor(path: other, flags: O_RDONLY | O_NOFOLLOW),
            VirtualMachine.haveCodeOfOneOrigin(file, otherFile),
            Self.allocated(file) <= Self.allocated(otherFile) * (100 + Self.muchNewCode) / 100
        else { return }
        unlink(own)
        // The earlier snapshot may go meanwhile: then there is no code.
        _ = Glibc.link(other, own)
    }

    private static func allocated(_ file: borrowing FileDescriptor) -> UInt64 {
        var status = stat()
        // st_blocks counts units of 512 bytes.
        return fstat(file.rawValue, &status) == 0 ? UInt64(status.st_blocks) * 512 : 0
    }

    private func path(_ name: String) -> String { "\(work)/\(name)" }

    private func compare(whole: String, own: String, map: String) throws(SystemError) -> [Int]? {
        // A snapshot that is damaged, or was removed just now, is nothing to build on.
        guard earlier.changedFiles.isEmpty,
            let before = try? SnapshotMemory(of: earlier).opened(asked: "a snapshot")
        else { return nil }
        let wholeFile = try FileDescriptor(path: whole, flags: O_RDONLY | O_NOFOLLOW)
        guard let all = try? SavedMemory(SavedMemoryFiles(memory: wholeFile.rawValue), asked: "a snapshot") else {
            return nil
        }
        let ownFile = try FileDescriptor(new: own)
        let mapFile = try FileDescriptor(new: map)
        switch try IncrementalMemory.make(whole: all, earlier: before, own: ownFile, map: mapFile) {
        case .whole: return nil
        case .incremental(let others): return others
        }
    }

    /// Links the files of the earlier snapshot's memory with these numbers; nil when it was removed meanwhile.
    private func link(_ numbers: [Int]) -> [SnapshotRecord.Layer]? {
        var layers: [SnapshotRecord.Layer] = []
        for (index, number) in numbers.enumerated() {
            let target = path(Snapshot.memoryName(index + 1))
            guard Glibc.link(earlier.file(Snapshot.memoryName(number)), target) == 0,
                let stamp = try? SnapshotRecord.Stamp(file: target)
            else {
                for made in 0...index { unlink(path(Snapshot.memoryName(made + 1))) }
                return nil
            }
            if number == 0 {
                layers.append(.init(id: earlier.record.id, name: earlier.record.name, stamp: stamp))
            } else {
                layers.append(earlier.record.layers![number - 1])
            }
        }
        return layers
    }
}
