package import Aerie
package import ControlAPI
internal import Glibc
internal import HostSystem

/// A snapshot, as its directory describes it.
///
///     snapshot.json   what it is (SnapshotRecord)
///     state           vCPUs, devices, and the checksums of the memory (SavedMachineFile)
///     memory          the memory (MemoryImage)
///     root.qcow2      the machine's disk, as it was
///     base-ID.qcow2   disks of other snapshots below it
///
/// Nothing in it changes. A machine that goes on from it has links of its own to the files, so that a snapshot can be removed at any time.
package struct Snapshot: Sendable {
    static let recordName = "snapshot.json"
    package static let stateName = "state"
    package static let memoryName = "memory"
    private static let basePrefix = "base-"
    private static let diskSuffix = ".qcow2"

    package let directory: String
    package let record: SnapshotRecord

    /// Reads the snapshot in a directory.
    ///
    /// - Throws: `badInput` for a record that cannot be read.
    package init(directory: String) throws(AerieError) {
        self.directory = directory
        record = try RecordFile.read(
            SnapshotRecord.self, version: SnapshotRecord.currentVersion, from: Self.recordName, in: directory,
            asked: "snapshot \(directory.split(separator: "/").last ?? "")")
    }

    package func file(_ name: String) -> String { "\(directory)/\(name)" }

    /// Bytes of the host's storage that the snapshot's files have. Files that machines share with it count in full.
    package var allocatedSize: UInt64 {
        directoryNames(directory).reduce(0) { sum, name in
            var status = stat()
            guard lstat(file(name), &status) == 0 else { return sum }
            // st_blocks counts units of 512 bytes.
            return sum + UInt64(status.st_blocks) * 512
        }
    }

    /// The name of this snapshot's disk below a machine's own.
    package var baseName: String { "\(Self.basePrefix)\(record.id)\(Self.diskSuffix)" }

    /// The disks of snapshots in a directory of a machine or a snapshot.
    package static func bases(in directory: String) -> [String] {
        directoryNames(directory).filter(isBase).sorted()
    }

    /// Whether a file's name is one of a snapshot's disk below another.
    static func isBase(_ name: String) -> Bool {
        guard name.hasPrefix(basePrefix), name.hasSuffix(diskSuffix) else { return false }
        return MachineNames.isID(String(name.dropFirst(basePrefix.count).dropLast(diskSuffix.count)))
    }

    // MARK: Checks

    /// Compares the whole memory with its checksums. It takes as long as reading it does.
    package func check() throws(AerieError) {
        guard record.hasState else { return }
        let asked = "snapshot '\(record.name)'"
        let state = try open(Self.stateName)
        let memory = try open(Self.memoryName)
        try VirtualMachine.checkSnapshot(state: state.rawValue, memory: memory.rawValue, asked: asked)
    }

    private func open(_ name: String) throws(AerieError) -> FileDescriptor {
        do throws(SystemError) {
            return try FileDescriptor(path: file(name), flags: O_RDONLY | O_NOFOLLOW)
        } catch {
            throw AerieError(
                .badInput, asked: "snapshot '\(record.name)'", found: error.description, advice: "remove the snapshot")
        }
    }

    /// Compares the memory with its checksums unless its file is the one whose checksums were right, unchanged.
    package func checkUnlessUnchanged() throws(AerieError) {
        guard let stamp = record.memory else { return }
        if (try? SnapshotRecord.Stamp(file: file(Self.memoryName))) == stamp { return }
        try check()
    }
}

extension SnapshotRecord.Stamp {
    /// Of a file as it is.
    init(file path: String) throws(SystemError) {
        var status = stat()
        _ = try checked("stat \(path)") { lstat(path, &status) }
        self.init(
            size: UInt64(status.st_size),
            modified: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec),
            device: UInt64(status.st_dev), node: UInt64(status.st_ino))
    }
}
