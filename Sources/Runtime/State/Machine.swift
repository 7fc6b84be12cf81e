package import Aerie
package import ControlAPI
internal import Glibc
package import HostSystem

/// A machine that is kept, as its directory describes it.
///
///     machine.json   what it is (MachineRecord)
///     status.json    how it is (MachineStatus), by its monitor
///     lock           held by the machine's processes
///     control.sock   its control socket (docs/control-protocol.md)
///     vsock.sock     the way to the guest's sockets
///     root.qcow2     the changes to its image's disk
///     agent.cpio     the guest's agent, for the end of the initial RAM disk
///     console.log.0, console.log.1   what the guest wrote to its console
///     vm.log         the log of its processes
///     cgroup         its control group, if it has one
///     changes.json   what 'aerie set' has changed since the start
///     saved.state, saved.memory, saved.map, saved.memory.N   what its next start goes on from
///     boot.code, boot.code.json   code that its next boot has the use of (BootCode)
///     saved.move     empty: the machine was migrated here, and is no copy
///     saved.pages    how far the memory of a machine has come that runs before all of it is there (Arrival.Mark)
///     saved.shared   disks of a machine that was migrated here, as its sender has left them (SharedDisks), until it has started
///     saved.disks    the files outside of the directory that were made for a machine that was migrated here (ArrivedFiles), until it has started
///     released       empty: whoever attended to the machine lets it go on; until its monitor has seen that
///     transfer       the transfer by which the machine has come here
///     base-ID.qcow2  disks of snapshots below root.qcow2
///     kernel, initrd, firmware   of a machine whose snapshot came from another host
package struct Machine: Sendable {
    static let recordName = "machine.json"
    static let statusName = "status.json"
    package static let lockName = "lock"
    /// Whoever saves the machine holds it.
    static let saveLockName = "save.lock"
    package static let controlName = "control.sock"
    package static let socketName = "vsock.sock"
    package static let rootDiskName = "root.qcow2"
    package static let kernelName = "kernel"
    package static let initrdName = "initrd"
    package static let firmwareName = "firmware"
    /// Files that the configuration names and that a snapshot has copies of.
    package static let ownNames = [rootDiskName, kernelName, initrdName, firmwareName]
    package static let agentName = "agent.cpio"
    package static let logName = "vm.log"
    static let groupName = "cgroup"
    static let changesName = "changes.json"
    private static let releasedName = "released"
    package static let savedStateName = "saved.state"
    package static let savedMemoryName = "saved.memory"
    /// There if the machine was moved here: it is the one that was saved, not a copy.
    package static let savedMoveName = "saved.move"
    /// There until a copy is somebody else than the machine that was saved. Without whoever makes it so, the copy goes away.
    package static let savedIdentityName = "saved.identity"
    package static let savedMapName = "saved.map"
    package static let savedCodeName = "saved.code"
    package static let savedCodeMarkName = "saved.code.json"
    static let bootCodeName = "boot.code"
    static let bootCodeMarkName = "boot.code.json"
    static let arrivalName = "saved.pages"
    static let transferName = "transfer"
    package static let consoleLogName = "console.log"
    private static let longestFile = 4 << 20

    /// The path of the machine's directory.
    package let directory: String
    package private(set) var record: MachineRecord

    /// Reads the machine in a directory.
    ///
    /// - Throws: `badInput` for a record that cannot be read.
    package init(directory: String) throws(AerieError) {
        self.directory = directory
        record = try Self.readRecord(directory)
    }

    /// The path of a file in the directory.
    package func file(_ name: String) -> String { "\(directory)/\(name)" }

    /// The directory of all machines.
    package var parent: String { String(directory.dropLast(record.id.utf8.count + 1)) }

    // MARK: The record

    private static func readRecord(_ directory: String) throws(AerieError) -> MachineRecord {
        try RecordFile.read(
            MachineRecord.self, versions: MachineRecord.currentVersion...MachineRecord.currentVersion, from: recordName,
            in: directory,
            asked: "machine \(directory.split(separator: "/").last ?? "")")
    }

    static func write(_ record: MachineRecord, in directory: String, isDurable: Bool = true) throws {
        // A machine that goes with its end is gone after a crash of the host, whatever is on the disk.
        try replace(
            "\(directory)/\(recordName)", with: JSONValue(encoding: record).text + [0x0A],
            isDurable: isDurable && !record.removesAtEnd)
    }

    /// Makes the machine survive a loss of power: its record, its disks, and its place among the machines. What it was saved with is only for
    /// its next start.
    package func synchronize() throws(AerieError) {
        do throws(SystemError) {
            for name in [Self.recordName, Self.rootDiskName] + Snapshot.bases(in: directory) {
                do throws(SystemError) {
                    try FileDescriptor.synchronize(path: file(name), flags: O_NOFOLLOW)
                } catch  where error.code == ENOENT {}
            }
            for path in [directory, parent] { try FileDescriptor.synchronize(path: path, flags: O_DIRECTORY) }
        } catch {
            throw AerieError(.inputOutput, asked: "machine '\(record.name)'", found: error.description)
        }
    }

    /// Changes the record on disk. With the lock of all machines.
    func changeRecord(_ change: (inout MachineRecord) -> Void) throws {
        var record = try Self.readRecord(directory)
        change(&record)
        try Self.write(record, in: directory)
    }

    // MARK: The status

    /// The state of the machine now. A monitor that died has left a status of a machine that runs: it has crashed.
    package var status: MachineStatus {
        let isRunning = hasProcess
        var status = storedStatus ?? MachineStatus()
        switch status.state {
        case .created where isRunning: status.state = .starting
        case .exited where isRunning: status.state = .starting
        case .starting, .running, .paused, .restarting:
            guard !isRunning else { break }
            status.state = .exited
            status.exitCode = 128 + SIGKILL
            status.outcome = EndKind.crashed.rawValue
            status.error = "its process was killed, or the host went down"
            status.process = 0
            status.monitor = 0
        case .created, .exited: break
        }
        return status
    }

    /// Whether somebody runs the machine, or is about to.
    var hasProcess: Bool { (try? MachineLock(path: file(Self.lockName)))?.isTaken ?? false }

    private var storedStatus: MachineStatus? {
        guard let bytes = try? Self.readFile(file(Self.statusName)) else { return nil }
        return try? JSONValue(parsing: bytes).decode(MachineStatus.self)
    }

    /// Writes the status; by the machine's monitor only, which holds the lock.
    package func write(_ status: MachineStatus) throws(AerieError) {
        do {
            let text = try JSONValue(encoding: status).text + [0x0A]
            try Self.replace(file(Self.statusName), with: text, isDurable: false)
        } catch {
            throw AerieError(.inputOutput, asked: "the status of machine '\(record.name)'", found: "\(error)")
        }
    }

    /// Makes the start of a machine that was migrated here survive the host's crash: its status, and the end of its saved state. Otherwise it would
    /// begin with that state again, beside disks that its guest has written to.
    func synchronizeStart() {
        for name in [Self.statusName, Self.arrivalName] {
            try? FileDescriptor.synchronize(path: file(name), flags: O_NOFOLLOW)
        }
        try? FileDescriptor.synchronize(path: directory, flags: O_DIRECTORY)
    }

    /// What was changed since the machine's start, as an object of settings; nil for nothing.
    package var changes: JSONValue? {
        guard isRunning, let bytes = try? Self.readFile(file(Self.changesName)) else { return nil }
        return try? JSONValue(parsing: bytes)
    }

    /// Adds changes of the running machine to those before: of two of one setting, the later one.
    package func note(changes: JSONValue) throws(AerieError) {
        let all = self.changes?.merging(changes) ?? changes
        do throws(SystemError) {
            try Self.replace(file(Self.changesName), with: all.text + [0x0A], isDurable: false)
        } catch {
            throw AerieError(.inputOutput, asked: "the changes of machine '\(record.name)'", found: "\(error)")
        }
    }

    /// Lets the machine go on when whoever attends to it ends. Call it before that.
    package func release() throws(AerieError) {
        do throws(SystemError) {
            try Self.replace(file(Self.releasedName), with: [], isDurable: false)
        } catch { throw AerieError(.inputOutput, asked: "machine '\(record.name)'", found: error.description) }
    }

    /// Whether the machine was released since the last call.
    func takeRelease() -> Bool { unlink(file(Self.releasedName)) == 0 }

    /// The machine starts with its record's settings.
    func forgetChanges() { unlink(file(Self.changesName)) }

    /// Gives a machine that has ended another exit code. Nothing happens if it runs again.
    package func note(exitCode: Int32) throws(AerieError) {
        let lock = try MachineLock(path: file(Self.lockName))
        guard try lock.take() else { return }
        try withExtendedLifetime(lock) { () throws(AerieError) in
            guard var status = storedStatus, status.state == .exited else { return }
            status.exitCode = exitCode
            try write(status)
        }
    }

    /// Whether the machine's processes are there.
    package var isRunning: Bool { (try? MachineLock(path: file(Self.lockName)))?.isTaken ?? false }

    /// - Throws: `usage` when the machine's processes are not there.
    package func requireRunning(for purpose: String) throws(AerieError) {
        guard !isRunning else { return }
        throw AerieError(
            .usage, asked: "\(purpose) machine '\(record.name)'", found: "it is not running",
            advice: "start it with 'aerie start \(record.name)'")
    }

    /// Whether the machine was removed.
    package var isGone: Bool { access(file(Self.recordName), F_OK) != 0 }

    /// Waits until the machine's processes have ended.
    package func waitForEnd() throws(AerieError) {
        do throws(AerieError) {
            try MachineLock(path: file(Self.lockName)).waitUntilFree()
        } catch {
            // Its monitor has removed it just now.
            guard isGone else { throw error }
        }
    }

    /// Waits until the machine's processes have ended.
    ///
    /// - Parameter seconds: the longest wait.
    /// - Returns: whether they have.
    package func hasEnded(within seconds: Int) -> Bool {
        let deadline = HostClock.monotonic() &+ UInt64(seconds) * 1_000_000_000
        while isRunning {
            guard HostClock.monotonic() < deadline else { return false }
            usleep(1000)
        }
        return true
    }

    /// The archive with the guest's agent, of a machine that has one.
    package func agent() throws(AerieError) -> [UInt8] {
        do throws(SystemError) {
            return try Self.readFile(file(Self.agentName))
        } catch {
            throw AerieError(
                .badInput, asked: "the agent of machine '\(record.name)'", found: error.description,
                advice: "make the machine anew")
        }
    }

    // MARK: Files

    static func readFile(_ path: String) throws(SystemError) -> [UInt8] {
        let file = try FileDescriptor(path: path, flags: O_RDONLY | O_NOFOLLOW)
        let size = Int(min(try file.size(), UInt64(longestFile)))
        var failure: SystemError?
        let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            do throws(SystemError) {
                count = try file.read(at: 0, into: UnsafeMutableRawBufferPointer(buffer))
            } catch { failure = error }
        }
        if let failure { throw failure }
        return bytes
    }

    package static func replace(_ path: String, with bytes: [UInt8], isDurable: Bool) throws(SystemError) {
        if isDurable {
            var replacement = try ReplacementFile(replacing: path, mode: 0o600)
            try replacement.file.writeAll(bytes)
            return try replacement.commit()
        }
        // After the host's crash nobody needs it.
        let temporary = "\(path).\(getpid())"
        let file = try FileDescriptor(path: temporary, flags: O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600)
        do throws(SystemError) {
            try file.writeAll(bytes)
            _ = try checked("rename \(temporary)") { Glibc.rename(temporary, path) }
        } catch {
            unlink(temporary)
            throw error
        }
    }
}
