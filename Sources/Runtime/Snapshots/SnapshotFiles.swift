internal import CRuntime
package import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// Moves the files of machines and of snapshots between their directories.
package enum SnapshotFiles {
    /// Saves a machine into the directory of a new snapshot. A machine that runs stands still meanwhile; of one that does not run, the disks
    /// are saved.
    package static func save(_ machine: Machine, to work: String) throws(AerieError) {
        guard machine.isRunning else {
            // Whoever has the lock keeps it from starting.
            let lock = try MachineLock(path: machine.file(Machine.lockName))
            guard try lock.take() else { return try save(machine, to: work) }
            return try copyDisks(of: machine, to: work)
        }
        let client = try ControlClient(machine)
        let state = try make("\(work)/\(Snapshot.stateName)")
        let memory = try make("\(work)/\(Snapshot.memoryName)")
        let disk = try RunningDisk(of: machine, to: "\(work)/\(Machine.rootDiskName)")
        try disk?.copy()
        // The end of the connection lets the machine go on, whatever becomes of this program.
        let answer = try client.call(.save, files: [state.rawValue, memory.rawValue])
        try linkBases(of: machine, to: work)
        try disk?.copy()
        if answer["wasRunning"] == .boolean(true) { try client.call(.resume) }
    }

    fileprivate static func make(_ path: String) throws(AerieError) -> FileDescriptor {
        do throws(SystemError) {
            return try FileDescriptor(path: path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        } catch { throw AerieError(.notStarted, asked: "a snapshot", found: error.description) }
    }

    /// The machine's own disk goes on changing, so that the snapshot has a copy; what is below it never changes.
    private static func copyDisks(of machine: Machine, to work: String) throws(AerieError) {
        try linkBases(of: machine, to: work)
        let disk = machine.file(Machine.rootDiskName)
        guard access(disk, F_OK) == 0 else { return }
        try calling("copying \(disk)") { aerie_copy_file(disk, "\(work)/\(Machine.rootDiskName)") }
    }

    private static func linkBases(of machine: Machine, to work: String) throws(AerieError) {
        for name in Snapshot.bases(in: machine.directory) { try link(machine.file(name), to: "\(work)/\(name)") }
    }

    /// The disk of a machine that runs: it is copied once before the machine stands still, and what has changed since afterwards.
    private final class RunningDisk {
        private let path: String
        private let file: FileDescriptor
        private let source: RepeatedCopy

        /// - Returns: nil for a machine without a disk of its own.
        init?(of machine: Machine, to path: String) throws(AerieError) {
            let disk = machine.file(Machine.rootDiskName)
            guard access(disk, F_OK) == 0 else { return nil }
            self.path = path
            file = try SnapshotFiles.make(path)
            do throws(SystemError) {
                source = try RepeatedCopy(of: disk)
            } catch { throw AerieError(.notStarted, asked: "a snapshot", found: error.description) }
        }

        func copy() throws(AerieError) {
            // Where the file system shares blocks, nothing is copied.
            if aerie_clone_file(source.descriptor, file.rawValue) == 0 { return }
            do {
                let size = try source.copy { offset, count, bytes in
                    if let bytes { return try file.writeAll(at: offset, bytes) }
                    try [UInt8](repeating: 0, count: count).withUnsafeBytes { try file.writeAll(at: offset, $0) }
                }
                try file.truncate(to: size)
            } catch { throw AerieError(.notStarted, asked: "a snapshot", found: "\(error)") }
        }
    }

    /// Gives a new machine's directory the files of a snapshot, all but its own disk.
    ///
    /// - Returns: the name of the disk that the machine's own one is based on; nil when the snapshot has none.
    package static func restore(_ snapshot: Snapshot, to work: String) throws(AerieError) -> String? {
        for name in Snapshot.bases(in: snapshot.directory) { try link(snapshot.file(name), to: "\(work)/\(name)") }
        if snapshot.record.hasState {
            try link(snapshot.file(Snapshot.stateName), to: "\(work)/\(Machine.savedStateName)")
            try link(snapshot.file(Snapshot.memoryName), to: "\(work)/\(Machine.savedMemoryName)")
        }
        guard access(snapshot.file(Machine.rootDiskName), F_OK) == 0 else { return nil }
        try link(snapshot.file(Machine.rootDiskName), to: "\(work)/\(snapshot.baseName)")
        return snapshot.baseName
    }

    private static func link(_ path: String, to target: String) throws(AerieError) {
        try calling("link \(path)") { Glibc.link(path, target) }
    }

    private static func calling(_ call: String, _ body: () -> Int32) throws(AerieError) {
        do throws(SystemError) {
            _ = try checked(call, body)
        } catch { throw AerieError(.notStarted, asked: "a snapshot", found: error.description) }
    }
}
