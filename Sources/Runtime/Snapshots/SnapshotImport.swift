package import Aerie
package import ControlAPI
internal import DiskImages
internal import Glibc
package import HostSystem
internal import SnapshotArchive

/// Reads an exported snapshot, whose origin nobody knows, into the directory of a new one.
///
/// Of the record, only what describes the guest's own board is taken over (`PortableRecord`). The memory is compared with its checksums.
package final class SnapshotImport {
    private static let sectorSize: UInt64 = 512

    /// The record in the archive, with nothing of a host in it.
    package let record: SnapshotRecord
    private let reader: ArchiveReader
    private let asked: String
    private var event: ArchiveReader.Event

    /// Reads the record.
    ///
    /// - Parameters:
    ///   - file: a file or a pipe at the archive's beginning.
    ///   - name: of the file, for errors.
    /// - Throws: `badInput` with the place of the damage.
    package init(from file: consuming FileDescriptor, name: String) throws(AerieError) {
        let asked = "importing \(name)"
        self.asked = asked
        do {
            let reader = try ArchiveReader(from: file)
            self.reader = reader
            guard case .member(.record, let size) = try reader.next() else {
                throw ArchiveError.damaged(at: 16, "it is not the snapshot's record")
            }
            var text = [UInt8](repeating: 0, count: Int(size))
            event = try Self.takeData(reader) { offset, data in
                text.replaceSubrange(Int(offset)..<Int(offset) + data.count, with: data)
            }
            record = try Self.record(text)
        } catch { throw Self.failure(error, asked: asked) }
    }

    private static func record(_ text: [UInt8]) throws -> SnapshotRecord {
        let found: SnapshotRecord
        let value = try? JSONValue(parsing: text)
        guard let version = value?["version"]?.integer else {
            throw ArchiveError.damaged(at: 16, "the snapshot's record is not JSON")
        }
        guard version == SnapshotRecord.portableVersion else {
            throw ArchiveError.damaged(
                at: 16,
                "the snapshot's record has version \(version), and this program reads version \(SnapshotRecord.portableVersion)"
            )
        }
        do { found = try value!.decode(SnapshotRecord.self) } catch {
            throw ArchiveError.damaged(at: 16, "the snapshot's record lacks a part, or has one of the wrong kind")
        }
        try MachineNames.check(found.name)
        var result = found
        (result.descent, result.layers) = (nil, nil)
        result.machine = try PortableRecord.portable(found.machine, id: try MachineNames.newID())
        return result
    }

    /// Reads the rest of the archive into the files of a new snapshot.
    ///
    /// - Parameter work: the snapshot's directory, which is being made.
    package func read(to work: String) throws(AerieError) {
        do {
            var found: Set<ArchiveMember> = [.record]
            while case .member(let member, let size) = event {
                found.insert(member)
                event = try read(member, size, to: work)
            }
            guard event == .end else {
                throw ArchiveError.damaged(at: 16, "data come before their part of the snapshot")
            }
            try checkComplete(found, work)
        } catch { throw Self.failure(error, asked: asked) }
    }

    private func checkComplete(_ found: Set<ArchiveMember>, _ work: String) throws {
        let configuration = record.machine.configuration
        var wanted: Set<ArchiveMember> = [.record]
        if record.hasState { wanted.formUnion([.state, .memory]) }
        if !configuration.disks.isEmpty { wanted.insert(.disk) }
        for (member, path) in zip([ArchiveMember.kernel, .initrd, .firmware], PortableRecord.files.map(\.path))
        where configuration[keyPath: path] != nil { wanted.insert(member) }
        guard found == wanted else {
            let names = found.symmetricDifference(wanted).sorted { $0.rawValue < $1.rawValue }.map { "\($0)" }
            throw AerieError(
                .badInput, asked: asked,
                found: "its parts are not those of its record: \(names.joined(separator: ", "))",
                advice: "export the snapshot again")
        }
        guard record.hasState else { return }
        let state = try FileDescriptor(path: "\(work)/\(Snapshot.stateName)", flags: O_RDONLY)
        let memory = try FileDescriptor(path: "\(work)/\(Snapshot.memoryName)", flags: O_RDONLY)
        try VirtualMachine.checkSnapshot(state: state.rawValue, memory: .init(memory: memory.rawValue), asked: asked)
    }

    private func read(_ member: ArchiveMember, _ size: UInt64, to work: String) throws -> ArchiveReader.Event {
        switch member {
        case .disk: return try readDisk(size, to: "\(work)/\(Machine.rootDiskName)")
        case .memory where size != record.machine.configuration.memorySize:
            throw AerieError(
                .badInput, asked: asked,
                found: "the memory has \(size) bytes, and the machine's record says "
                    + "\(record.machine.configuration.memorySize)", advice: "export the snapshot again")
        default: break
        }
        let path = "\(work)/\(Self.fileName(member))"
        let file = try FileDescriptor(new: path)
        try file.truncate(to: size)
        return try Self.takeData(reader) { offset, data in
            try file.writeAll(at: offset, UnsafeRawBufferPointer(data))
        }
    }

    private static func fileName(_ member: ArchiveMember) -> String {
        switch member {
        case .record: Snapshot.recordName
        case .state: Snapshot.stateName
        case .memory: Snapshot.memoryName
        case .disk: Machine.rootDiskName
        case .kernel: Machine.kernelName
        case .initrd: Machine.initrdName
        case .firmware: Machine.firmwareName
        }
    }

    private func readDisk(_ size: UInt64, to path: String) throws -> ArchiveReader.Event {
        guard size > 0, size % Self.sectorSize == 0 else {
            throw AerieError(
                .badInput, asked: asked, found: "the disk has \(size) bytes, which is not a whole number of sectors",
                advice: "export the snapshot again")
        }
        var next: ArchiveReader.Event?
        var failure: (any Error)?
        try NewDisk(path: path, format: .qcow2, size: size).make { (disk) throws(DiskImageError) in
            do {
                next = try Self.takeData(reader) { offset, data in
                    guard offset % Self.sectorSize == 0, UInt64(data.count) % Self.sectorSize == 0 else {
                        throw ArchiveError.damaged(at: offset, "the disk's data are not a whole number of sectors")
                    }
                    try disk.write(at: offset, from: IOBuffers(data))
                }
            } catch { failure = error }
        }
        if let failure { throw failure }
        return next ?? .end
    }

    /// Takes the data of the member that has just begun.
    ///
    /// - Returns: what follows them.
    private static func takeData(
        _ reader: ArchiveReader, _ body: (UInt64, UnsafeMutableRawBufferPointer) throws -> Void
    ) throws -> ArchiveReader.Event {
        while true {
            let event = try reader.next()
            guard case .data(let offset, let count) = event else { return event }
            try reader.withData(count) { try body(offset, $0) }
        }
    }

    private static func failure(_ error: any Error, asked: String) -> AerieError {
        switch error {
        case let error as AerieError: error
        case let error as DiskImageError: AerieError(disk: error)
        case ArchiveError.system(let error):
            AerieError(.inputOutput, asked: asked, found: error.description, advice: "make room, or check the file")
        case let error as ArchiveError:
            AerieError(.badInput, asked: asked, found: error.description, advice: "export the snapshot again")
        default: AerieError(.inputOutput, asked: asked, found: "\(error)", advice: "make room, or check the file")
        }
    }
}
