internal import CRuntime
package import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// Moves the files of machines and of snapshots between their directories.
package enum SnapshotFiles {
    /// Saves a machine into the directory of a new snapshot. A machine that runs goes on meanwhile, and stands still for a moment at the end; of
    /// one that does not run, the disks are saved.
    package static func save(_ machine: Machine, to work: String) throws(AerieError) {
        try alone(machine) { () throws(AerieError) in try saveAlone(machine, to: work) }
    }

    /// Calls `body` when no other program saves the machine: one that a program has paused cannot be saved by another one meanwhile.
    static func alone<Result>(
        _ machine: Machine, _ body: () throws(AerieError) -> Result
    ) throws(AerieError) -> Result {
        let turn = try MachineLock(path: machine.file(Machine.saveLockName))
        try turn.wait()
        defer { withExtendedLifetime(turn) {} }
        return try body()
    }

    private static func saveAlone(_ machine: Machine, to work: String) throws(AerieError) {
        guard machine.isRunning else {
            // Whoever has the lock keeps it from starting.
            let lock = try MachineLock(path: machine.file(Machine.lockName))
            guard try lock.take() else { return try saveAlone(machine, to: work) }
            return try copyDisks(of: machine, to: work)
        }
        let client = try ControlClient(machine)
        try saveRunning(machine, client, to: work) { (state) throws(AerieError) in
            let memory = try make("\(work)/\(Snapshot.memoryName)")
            let answer = try client.call(.save, files: [state.rawValue, memory.rawValue])
            return ((), wasRunning: answer["wasRunning"] == .boolean(true))
        }
        saveCode(client, to: "\(work)/\(Snapshot.codeName)")
    }

    /// Saves a machine that runs into the directory of a snapshot for copies on this host. It goes on after a moment.
    ///
    /// - Returns: the memory, which the directory does not have.
    package static func fork(_ machine: Machine, to work: String) throws(AerieError) -> ForkedMemory {
        try alone(machine) { () throws(AerieError) in
            let client = try ControlClient(machine)
            let memory = try saveRunning(machine, client, to: work) { (state) throws(AerieError) in
                try ForkedMemory.save(client, state: state)
            }
            memory.saveCode(client)
            try memory.fix()
            return memory
        }
    }

    /// - Parameter save: saves the state into a file, and the memory; returns whether the machine has to be let go on, too.
    private static func saveRunning<Memory>(
        _ machine: Machine, _ client: ControlClient, to work: String,
        _ save: (borrowing FileDescriptor) throws(AerieError) -> (Memory, wasRunning: Bool)
    ) throws(AerieError) -> Memory {
        let state = try make("\(work)/\(Snapshot.stateName)")
        let disk = try RunningDisk(of: machine, to: "\(work)/\(Machine.rootDiskName)")
        try linkFixed(from: machine.directory, to: work)
        try disk?.copy()
        // The end of the connection lets the machine go on, whatever becomes of this program.
        let (memory, wasRunning) = try save(state)
        try disk?.copy()
        if wasRunning { try client.call(.resume) }
        return memory
    }

    /// A snapshot is complete without the code.
    private static func saveCode(_ client: ControlClient, to path: String) {
        guard let code = try? make(path) else { return }
        let isSaved = (try? client.call(.saveCode, files: [code.rawValue])) != nil
        if !isSaved || (try? code.size()) == 0 { unlink(path) }
    }

    fileprivate static func make(_ path: String) throws(AerieError) -> FileDescriptor {
        do throws(SystemError) {
            return try FileDescriptor(new: path)
        } catch { throw AerieError(.notStarted, asked: "a snapshot", found: error.description) }
    }

    /// The machine's own disk goes on changing, so that the snapshot has a copy; what is below it never changes.
    private static func copyDisks(of machine: Machine, to work: String) throws(AerieError) {
        try linkFixed(from: machine.directory, to: work)
        let disk = machine.file(Machine.rootDiskName)
        guard access(disk, F_OK) == 0 else { return }
        try calling("copying \(disk)") { aerie_copy_file(disk, "\(work)/\(Machine.rootDiskName)") }
    }

    /// Links what never changes: the disks below the machine's own, and what is loaded into the memory at boot, of those that have it with them.
    private static func linkFixed(from directory: String, to work: String) throws(AerieError) {
        let loaded = [Machine.kernelName, Machine.initrdName, Machine.firmwareName]
            .filter { access("\(directory)/\($0)", F_OK) == 0 }
        for name in Snapshot.bases(in: directory) + loaded { try link("\(directory)/\(name)", to: "\(work)/\(name)") }
    }

    /// The disk of a machine that runs: it is copied once before the machine stands still, and what has changed since afterwards.
    private final class RunningDisk {
        private let file: FileDescriptor
        private let source: RepeatedCopy

        /// - Returns: nil for a machine without a disk of its own.
        init?(of machine: Machine, to path: String) throws(AerieError) {
            let disk = machine.file(Machine.rootDiskName)
            guard access(disk, F_OK) == 0 else { return nil }
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
                    try file.writeAll(at: offset, [UInt8](repeating: 0, count: count))
                }
                try file.truncate(to: size)
            } catch { throw AerieError(.notStarted, asked: "a snapshot", found: "\(error)") }
        }
    }

    /// Gives a new machine's directory the files of a snapshot, all but its own disk.
    ///
    /// - Parameters:
    ///   - memory: what the machine begins with, unless that is in the snapshot.
    ///   - isMarked: whether a machine that goes on has the mark of one that is not somebody else yet.
    /// - Returns: the name of the disk that the machine's own one is based on; nil when the snapshot has none.
    package static func restore(
        _ snapshot: Snapshot, with memory: ForkedMemory?, to work: String, isMarked: Bool
    ) throws(AerieError) -> String? {
        try linkFixed(from: snapshot.directory, to: work)
        if snapshot.record.hasState || memory != nil {
            if isMarked { _ = try make("\(work)/\(Machine.savedIdentityName)") }
            try link(snapshot.file(Snapshot.stateName), to: "\(work)/\(Machine.savedStateName)")
        }
        if snapshot.record.hasState {
            for number in 0...(snapshot.record.layers?.count ?? 0) {
                try link(snapshot.file(Snapshot.memoryName(number)), to: "\(work)/\(SavedStart.memoryName(number))")
            }
            if snapshot.record.layers != nil {
                try link(snapshot.file(Snapshot.mapName), to: "\(work)/\(Machine.savedMapName)")
            }
            if let code = snapshot.record.code {
                SavedCodeLink.saved.make(to: snapshot.file(Snapshot.codeName), known: code, in: work)
            }
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
