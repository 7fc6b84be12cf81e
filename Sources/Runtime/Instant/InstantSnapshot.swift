internal import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// A snapshot of an image just before its first command.
///
///     instant.json   what it is (InstantRecord)
///     state          vCPUs, devices, what the guest has written to its disk, and the checksums of the memory
///     memory         the memory
///     code           the code that the translator had generated for the guest
package struct InstantSnapshot: Sendable {
    static let recordName = "instant.json"

    let directory: String
    package let record: InstantRecord

    init(directory: String) throws(AerieError) {
        self.directory = directory
        record = try RecordFile.read(
            InstantRecord.self, versions: InstantRecord.currentVersion...InstantRecord.currentVersion,
            from: Self.recordName, in: directory,
            asked: "the snapshot of an image")
    }

    private func file(_ name: String) -> String { "\(directory)/\(name)" }

    var allocatedSize: UInt64 { allocatedBytes(in: directory) }

    /// When a machine has last gone on from it, in nanoseconds since 1970.
    var lastUse: Int64 { (try? SnapshotRecord.Stamp(file: file(Self.recordName)))?.modified ?? 0 }

    func noteUse() { _ = utimensat(AT_FDCWD, file(Self.recordName), nil, 0) }

    /// Whether the files are those that were saved. The memory is read only when its file has changed, or the host has started since.
    func isSound() -> Bool {
        guard let stamp = try? SnapshotRecord.Stamp(file: file(Snapshot.memoryName)) else { return false }
        if stamp == record.memory, record.hostBoot == Self.hostBoot { return true }
        do {
            let state = try FileDescriptor(path: file(Snapshot.stateName), flags: O_RDONLY | O_NOFOLLOW)
            let memory = try FileDescriptor(path: file(Snapshot.memoryName), flags: O_RDONLY | O_NOFOLLOW)
            try VirtualMachine.checkSnapshot(
                state: state.rawValue, memory: .init(memory: memory.rawValue), asked: "the snapshot of an image")
            var record = record
            (record.memory, record.code, record.hostBoot) = (stamp, intactCode, Self.hostBoot)
            try Self.write(record, in: directory)
            return true
        } catch { return false }
    }

    /// Gives a new machine's directory the files to start from.
    ///
    /// - Returns: false when they are gone.
    func link(to work: String) -> Bool {
        let state = "\(work)/\(Machine.savedStateName)"
        guard linkOrRefer(file(Snapshot.stateName), state) else { return false }
        guard linkOrRefer(file(Snapshot.memoryName), "\(work)/\(Machine.savedMemoryName)") else {
            unlink(state)
            return false
        }
        if let code = record.code, record.hostBoot == Self.hostBoot {
            SavedCodeLink.saved.make(to: file(Snapshot.codeName), known: code, in: work)
        }
        return true
    }

    /// Whether there is code, and less than half of a code cache. What its file has on the host's storage says how much it is.
    func hasCode(for cache: ByteSize) -> Bool {
        record.code != nil && allocatedBytes(of: file(Snapshot.codeName)) < cache.bytes / 2
    }

    /// Gives a machine's directory the code alone, for a boot.
    func linkCode(to work: String) {
        guard let code = record.code else { return }
        SavedCodeLink.boot.make(to: file(Snapshot.codeName), known: code, in: work, hostBoot: record.hostBoot)
    }

    /// The code's file if it is as it was written; otherwise it goes.
    private var intactCode: SnapshotRecord.Stamp? {
        let path = file(Snapshot.codeName)
        if let known = record.code, SavedCodeLink.open(path, known, isChecked: true) != nil { return known }
        unlink(path)
        return nil
    }

    static func write(_ record: InstantRecord, in directory: String) throws {
        try Machine.replace(
            "\(directory)/\(recordName)", with: JSONValue(encoding: record).text + [0x0A], isDurable: false)
    }

    /// Another text after each start of the host.
    static var hostBoot: String {
        ProcessFile.text("/proc/sys/kernel/random/boot_id").map { String($0.prefix { $0 != "\n" }) } ?? ""
    }
}

/// Makes a link to a file. Machines may be on another file system than the user's cache: then it is a symbolic one.
func linkOrRefer(_ path: String, _ target: String) -> Bool {
    link(path, target) == 0 || errno == EXDEV && symlink(path, target) == 0
}

/// Bytes of the host's storage that the files in a directory have.
func allocatedBytes(in directory: String) -> UInt64 {
    directoryNames(directory).reduce(0) { $0 + allocatedBytes(of: "\(directory)/\($1)") }
}

/// The same of a file; 0 where there is none.
private func allocatedBytes(of path: String) -> UInt64 {
    var status = stat()
    // st_blocks counts units of 512 bytes.
    return lstat(path, &status) == 0 ? UInt64(status.st_blocks) * 512 : 0
}
