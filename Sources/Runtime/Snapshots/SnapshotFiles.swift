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
        // The end of the connection lets the machine go on, whatever becomes of this program.
        let answer = try client.call(.save, files: [state.rawValue, memory.rawValue])
        try copyDisks(of: machine, to: work)
        if answer["wasRunning"] == .boolean(true) { try client.call(.resume) }
    }

    private static func make(_ path: String) throws(AerieError) -> FileDescriptor {
        do throws(SystemError) {
            return try FileDescriptor(path: path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
        } catch { throw AerieError(.notStarted, asked: "a snapshot", found: error.description) }
    }

    /// The machine's own disk goes on changing, so that the snapshot has a copy; what is below it never changes.
    private static func copyDisks(of machine: Machine, to work: String) throws(AerieError) {
        for name in Snapshot.bases(in: machine.directory) + loaded(in: machine.directory) {
            try link(machine.file(name), to: "\(work)/\(name)")
        }
        let disk = machine.file(Machine.rootDiskName)
        guard access(disk, F_OK) == 0 else { return }
        try calling("copying \(disk)") { aerie_copy_file(disk, "\(work)/\(Machine.rootDiskName)") }
    }

    /// What is loaded into the memory at boot, of those that have it with them.
    private static func loaded(in directory: String) -> [String] {
        [Machine.kernelName, Machine.initrdName, Machine.firmwareName]
            .filter { access("\(directory)/\($0)", F_OK) == 0 }
    }

    /// Gives a new machine's directory the files of a snapshot, all but its own disk.
    ///
    /// - Returns: the name of the disk that the machine's own one is based on; nil when the snapshot has none.
    package static func restore(_ snapshot: Snapshot, to work: String) throws(AerieError) -> String? {
        for name in Snapshot.bases(in: snapshot.directory) + loaded(in: snapshot.directory) {
            try link(snapshot.file(name), to: "\(work)/\(name)")
        }
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
