package import Aerie
package import ControlAPI
internal import Glibc
internal import HostSystem

/// A snapshot, as its directory describes it.
///
///     snapshot.json   what it is (SnapshotRecord)
///     state           vCPUs, devices, and the checksums of the memory (SavedMachineFile)
///     memory          the memory (MemoryImage), or the part of it that is in no other file
///     memory.map      which file has which part (MemoryMap), of an incremental snapshot
///     memory.1 …      parts of the memory that earlier snapshots have, too
///     code            the code that the translator had generated for the guest, for this program and host
///     root.qcow2      the machine's disk, as it was
///     base-ID.qcow2   disks of other snapshots below it
///     kernel, initrd, firmware   of a snapshot that came from another host
///
/// Nothing in it changes. A machine that goes on from it has links of its own to the files, so that a snapshot can be removed at any time.
package struct Snapshot: Sendable {
    static let recordName = "snapshot.json"
    package static let stateName = "state"
    package static let memoryName = "memory"
    package static let mapName = "memory.map"
    package static let codeName = "code"
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
            SnapshotRecord.self, versions: SnapshotRecord.versions, from: Self.recordName, in: directory,
            asked: "snapshot \(directory.split(separator: "/").last ?? "")")
    }

    package func file(_ name: String) -> String { "\(directory)/\(name)" }

    /// The name of a file of an incremental snapshot's memory. File 0 is its own.
    package static func memoryName(_ number: Int) -> String { number == 0 ? memoryName : "\(memoryName).\(number)" }

    /// The descent of a machine that is restored from this snapshot, and of the next snapshot of the machine that was saved.
    package var descentOfNext: [String] {
        Array(([record.id] + (record.descent ?? [])).prefix(SnapshotRecord.longestDescent))
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

    /// Whether there is generated code that is as it was saved.
    var hasCode: Bool { record.code != nil && (try? SnapshotRecord.Stamp(file: file(Self.codeName))) == record.code }

    // MARK: Checks

    /// Compares the whole memory with its checksums. It takes as long as reading it does.
    package func check() throws(AerieError) {
        guard record.hasState else { return }
        try SnapshotMemory(of: self).check()
    }

    /// Compares the memory with its checksums unless its files are those whose checksums were right, unchanged.
    package func checkUnlessUnchanged() throws(AerieError) {
        guard record.hasState, !changedFiles.isEmpty else { return }
        try check()
    }

    /// The numbers of the memory's files that are not those of the record any more.
    var changedFiles: Set<Int> {
        let stamps = [record.memory] + (record.layers ?? []).map(\.stamp)
        return Set(
            stamps.indices.filter { (try? SnapshotRecord.Stamp(file: file(Self.memoryName($0)))) != stamps[$0] })
    }
}

extension SnapshotRecord.Stamp {
    /// Of a file as it is.
    init(file path: String, followsLinks: Bool = false) throws(SystemError) {
        var status = stat()
        _ = try checked("stat \(path)") { followsLinks ? stat(path, &status) : lstat(path, &status) }
        self.init(status)
    }

    init(_ status: stat) {
        self.init(
            size: UInt64(status.st_size),
            modified: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec),
            device: UInt64(status.st_dev), node: UInt64(status.st_ino))
    }
}
