internal import CRuntime
internal import CSockets
package import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem
package import Jail

/// Keeps a machine: starts its process, writes its status, starts it again by its policy, and cleans up after it.
///
/// The monitor is the program `aerie-vm` before it forks. It has one thread, and no part of the guest. It starts the machine's process in a
/// jail, which ends with the monitor, and does for it what the jail forbids (`Broker`). The machine's lock is held by the monitor and, over
/// the fork, by the machine's process: the lock is free when both have ended.
package final class MachineMonitor {
    /// What the machine's process needs.
    package struct Charge: Sendable {
        package let machine: Machine
        package let link: MonitorLink
        /// The listening control socket.
        package let listener: Int32
        /// The machine's directory, opened.
        package let directory: Int32
        package let isForeground: Bool
        /// What the machine runs: the record's configuration and the way to its agent.
        package let configuration: Configuration
        /// What the guest goes on from; nil for a guest that boots.
        package let saved: SavedStart?
        /// What a guest boots with that has no saved state; nil for others.
        package let bootCode: BootCode?
        package let jail: JailSettings
        package let inside: JailInside
    }

    /// How a run of the machine ended.
    struct End {
        let code: Int32
        /// Nil for an end in order.
        var error: AerieError?
        /// The machine was asked to end.
        var isWanted = false
        /// Nil for a machine that did not start, or whose process did not say it.
        var kind: EndKind?
    }

    private static let signals = [SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGTSTP]
    /// Nanoseconds that the machine's process has to give the terminal back before the monitor stops, too.
    private static let stopLimit: UInt64 = 1_000_000_000

    let machine: Machine
    private let isForeground: Bool
    /// The machine shall end with whoever waits at `ready`.
    private(set) var isAttended: Bool
    /// The machine's command comes through the guest's agent.
    private let commandIsLater: Bool
    /// Whoever waits at `ready` makes a copy somebody else.
    private(set) var awaitsIdentity = false
    /// The copy shall go away at its end.
    private var isOrphan = false
    /// The memory that whoever started this process has given it; nil when it was used.
    private var given: GivenMemory?
    private let bootCode: BootCode
    private let lock: MachineLock
    private let directory: FileDescriptor
    private let listener: FileDescriptor
    let signalSource: FileDescriptor
    /// Where the caller waits for the start; -1 when nobody does.
    var ready: Int32
    var status: MachineStatus
    /// The process and the link of the machine while it runs.
    var process: JailedProcess?
    var link: Int32 = -1
    var rest: [UInt8] = []
    var end: End?
    var wasAsked = false
    /// Why the monitor has ended the machine's process.
    var refusal: AerieError?
    private var isAnnounced = false
    /// The health checks of a machine that has one and runs.
    var health: HealthWatch?
    /// The next state `running` is a start, not the end of a pause.
    var isFreshStart = false

    /// Takes the machine over.
    ///
    /// - Parameters:
    ///   - ready: a descriptor that gets the answer to the start; nil for none. It becomes the monitor's.
    ///   - isAttended: the machine ends when the other end of `ready` is closed.
    ///   - commandIsLater: the guest does not run the machine's command at its console.
    ///   - isForOthers: machines of its image boot with its code.
    ///   - given: the memory that the machine begins with, which becomes the monitor's; nil for what is in its directory.
    /// - Throws: `usage` when the machine runs already.
    package init(
        _ machine: Machine, isForeground: Bool, ready: Int32?, isAttended: Bool, commandIsLater: Bool = false,
        isForOthers: Bool = false, given: GivenMemory? = nil
    ) throws(AerieError) {
        self.machine = machine
        self.given = given
        self.isForeground = isForeground
        self.isAttended = isAttended
        self.commandIsLater = commandIsLater
        self.ready = ready ?? -1
        lock = try MachineLock(path: machine.file(Machine.lockName))
        guard try lock.take() else {
            throw AerieError(
                .usage, asked: "starting machine '\(machine.record.name)'", found: "it is running already",
                advice: "'aerie stop \(machine.record.name)' stops it")
        }
        do throws(SystemError) {
            let directory = try FileDescriptor(path: machine.directory, flags: O_RDONLY | O_DIRECTORY)
            // Under the lock, whatever has the name is left over.
            unlink(machine.file(Machine.controlName))
            unlink(machine.file(Machine.socketName))
            let path = "/proc/self/fd/\(directory.rawValue)/\(Machine.controlName)"
            listener = FileDescriptor(owning: try checked("bind \(Machine.controlName)") { aerie_stream_listen(path) })
            self.directory = directory
            signalSource = FileDescriptor(
                owning: try checked("signalfd") {
                    aerie_signal_descriptor(Self.signals, Int32(Self.signals.count))
                })
        } catch {
            throw AerieError(opening: "starting machine '\(machine.record.name)'", error)
        }
        if isForeground { TerminalGuard.begin() }
        bootCode = BootCode(takingFrom: machine, isForOthers: isForOthers)
        _ = machine.takeRelease()
        MachineShare.end(machine)
        status = machine.status
        status.monitor = getpid()
        status.restarts = 0
    }

    /// Runs the machine until it ends for good.
    ///
    /// - Parameter body: called in the machine's process, which ends with its result.
    /// - Returns: the exit code of the machine's last run.
    package func run(_ body: (Charge) -> Int32) -> Int32 {
        var schedule = RestartSchedule(machine.record.restart)
        while true {
            let begun = HostClock.monotonic()
            runOnce(body)
            let end = self.end ?? End(code: 128 + SIGKILL)
            // A machine that never ran is not tried again: its settings do not become better.
            guard !end.isWanted, !wasAsked, status.started != nil, isAnnounced || isForeground,
                schedule.wants(restart: end.code)
            else { return finish(end) }
            schedule.note(end: end.code, after: HostClock.monotonic() &- begun)
            status.state = .restarting
            status.restarts += 1
            note(end)
            save()
            if waits(schedule.pause) { return finish(end) }
        }
    }

    private func runOnce(_ body: (Charge) -> Int32) {
        end = nil
        rest = []
        defer { TerminalGuard.end() }
        var ends: [Int32] = [-1, -1]
        guard aerie_link_pair(&ends) == 0 else { return fail(opening(.last("socketpair"))) }
        status.state = .starting
        status.process = 0
        machine.forgetChanges()
        status.health = machine.record.healthCheck.map { _ in .starting }
        isFreshStart = true
        save()
        defer {
            health = nil
            link = -1
            process = nil
        }
        link = ends[0]
        let theirs = ends[1]
        do throws(AerieError) {
            let configuration = try runningConfiguration()
            let saved = try SavedStart(machine, configuration, given)
            if saved?.arrival == nil { unlink(machine.file(Machine.arrivalName)) }
            noteIdentity(isSaved: saved != nil)
            given = nil
            var jail = try JailSettings(configuration)
            jail.descriptors += [theirs, listener.rawValue, directory.rawValue, lock.descriptor] + Self.lease
            jail.descriptors += saved?.descriptors ?? bootCode.descriptors
            let started = Result { () throws(AerieError) in
                try start(jail, configuration, saved, link: theirs, body)
            }
            // The end of a connection with a sender is the end of the machine's process.
            saved?.close()
            let process = try started.get()
            close(theirs)
            self.process = process
            status.process = process.identifier
            save()
            takeShare(process.identifier)
            serve(process, Broker(jail, laterPasst: { [machine] in Self.passt(of: machine, card: $0) }))
            close(ends[0])
        } catch {
            close(ends[0])
            close(theirs)
            fail(error)
        }
    }

    /// Gives a machine's process its share of processors, or ends it.
    private func takeShare(_ process: Int32) {
        do throws(AerieError) {
            guard let limit = try MachineShare.begin(machine, process: process) else { return }
            tell(["limit": JSONValue(limit)])
        } catch {
            refusal = error
            StandardError.write("aerie: \(error)\n")
            kill(process, SIGKILL)
        }
    }

    /// Sends an order to the machine's process.
    func tell(_ order: [String: JSONValue]) {
        let line = JSONValue.object(order).text + [0x0A]
        line.withUnsafeBytes { _ = send(link, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)) }
    }

    private func start(
        _ jail: JailSettings, _ configuration: Configuration, _ saved: SavedStart?, link: Int32,
        _ body: (Charge) -> Int32
    ) throws(AerieError) -> JailedProcess {
        do throws(JailError) {
            return try Jail.start(jail) { inside in
                aerie_reset_signals(Self.signals, Int32(Self.signals.count))
                // A terminal sends these to all processes of the group; the monitor passes them on, once.
                for signal in Self.signals where ![SIGCHLD, SIGTSTP].contains(signal) { SignalWatch.discard(signal) }
                return body(
                    Charge(
                        machine: machine, link: MonitorLink(owning: FileDescriptor(owning: link)),
                        listener: listener.rawValue, directory: directory.rawValue, isForeground: isForeground,
                        configuration: configuration, saved: saved,
                        bootCode: saved == nil ? bootCode : nil, jail: jail, inside: inside))
            }
        } catch { throw AerieError(.notStarted, asked: error.asked, found: error.found, advice: error.advice) }
    }

    /// The descriptor of an image's lease, if whoever started this program has one (`MachineProgram`).
    private static var lease: [Int32] { fcntl(4, F_GETFD) == -1 ? [] : [4] }

    /// The passt of a card that was plugged in while the machine runs: as the record, which is out of the machine's reach, has it now.
    private static func passt(of machine: Machine, card: Int) -> JailSettings.Passt? {
        guard let present = try? Machine(directory: machine.directory),
            let commands = try? present.record.configuration.passtCommands(),
            let command = commands.first(where: { $0.card == card })
        else { return nil }
        return JailSettings.Passt(card: card, path: command.path, arguments: command.arguments)
    }

    private func runningConfiguration() throws(AerieError) -> Configuration {
        // What was plugged in and out since belongs to the next run, and names of other machines may have changed.
        let record = try Machine(directory: machine.directory).record
        var configuration = record.configuration
        if machine.record.hasAgent, configuration.sockets == nil {
            // A name of any length would not fit into a socket's address.
            configuration.sockets = SocketSettings(path: "/proc/self/fd/\(directory.rawValue)/\(Machine.socketName)")
        }
        if machine.record.hasAgent {
            configuration.appendedInitrd =
                try machine.agent() + GuestFiles.archive(record, hasCommand: !commandIsLater)
        }
        try configuration.validate()
        return configuration
    }

    private func opening(_ error: SystemError) -> AerieError {
        AerieError(opening: "starting machine '\(machine.record.name)'", error)
    }

    private func fail(_ error: AerieError) { end = End(code: error.exitCode, error: error) }

    // MARK: Between two runs

    /// Waits before a restart. True when the machine shall not start any more.
    private func waits(_ pause: UInt64) -> Bool {
        let deadline = HostClock.monotonic() &+ pause
        while true {
            let now = HostClock.monotonic()
            if now >= deadline { return false }
            var entry = pollfd(fd: signalSource.rawValue, events: Int16(POLLIN), revents: 0)
            _ = poll(&entry, 1, Int32((deadline - now) / 1_000_000 + 1))
            takeSignals()
            if wasAsked { return true }
        }
    }

    /// The shell's job is the monitor: it stops when the machine's process has given the terminal back. A shell that continues the job
    /// continues both.
    func stopWithMachine() {
        if let process, isForeground {
            kill(process.identifier, SIGTSTP)
            let deadline = HostClock.monotonic() &+ Self.stopLimit
            while !MachineSignal.isStopped(process.identifier), HostClock.monotonic() < deadline { usleep(2000) }
        }
        // The default action stops this process where a shell could continue it.
        aerie_stop_by(SIGTSTP)
    }

    // MARK: The end

    private func note(_ end: End) {
        status.process = 0
        status.exitCode = end.code
        status.outcome = end.kind?.rawValue
        status.error = end.error?.description
        status.finished = HostClock.realtime()
    }

    private func finish(_ end: End) -> Int32 {
        status.state = .exited
        status.monitor = 0
        note(end)
        save()
        unlink(machine.file(Machine.controlName))
        unlink(machine.file(Machine.socketName))
        MachineShare.end(machine)
        reportEnd(end)
        if machine.record.removesAtEnd || isOrphan { try? StateDirectory.removeFiles(of: machine) }
        let failure =
            end.error
            ?? AerieError(
                .notStarted, asked: "starting machine '\(machine.record.name)'",
                found: "its process ended with code \(end.code)", advice: "see \(machine.file(Machine.logName))")
        announce(.failure(failure))
        return end.code
    }

    /// Tells whoever waits for the start about it, once.
    func announce(_ answer: ControlAnswer) {
        guard ready >= 0, !isAnnounced else { return }
        isAnnounced = true
        answer.line(0).withUnsafeBytes { _ = Glibc.write(ready, $0.baseAddress, $0.count) }
        guard !isAttended, !awaitsIdentity else { return }
        close(ready)
        ready = -1
    }

    /// Tells whoever attends to the machine about its end: of a machine that is removed, nothing else does.
    private func reportEnd(_ end: End) {
        guard isAttended, isAnnounced, ready >= 0 else { return }
        var pairs: [String: JSONValue] = ["code": JSONValue(end.code)]
        if let kind = end.kind { pairs["outcome"] = .string(kind.rawValue) }
        if let error = end.error { pairs["error"] = error.json }
        ControlAnswer.result(.object(pairs)).line(0).withUnsafeBytes {
            _ = Glibc.write(ready, $0.baseAddress, $0.count)
        }
    }

    /// - Parameter isSaved: whether the guest goes on from a saved one.
    private func noteIdentity(isSaved: Bool) {
        let mark = machine.file(Machine.savedIdentityName)
        awaitsIdentity = isSaved && ready >= 0 && access(mark, F_OK) == 0
        if !isSaved { unlink(mark) }
    }

    /// Whoever made the copy has let it go, or is gone before the copy was somebody else: then nobody knows of it, and it goes away.
    func endIdentity() {
        awaitsIdentity = false
        guard access(machine.file(Machine.savedIdentityName), F_OK) == 0 else {
            close(ready)
            ready = -1
            return
        }
        isOrphan = true
        leave()
    }

    /// Whoever attended to the machine is gone: it is killed, as its monitor's end would do, unless it was released.
    func leave() {
        close(ready)
        ready = -1
        if isAttended, machine.takeRelease() {
            isAttended = false
            // The terminal is somebody else's from now on.
            return redirectMessages()
        }
        wasAsked = true
        _ = shutdown(link, Int32(SHUT_WR))
    }

    private func redirectMessages() {
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW
        guard let log = try? FileDescriptor(path: machine.file(Machine.logName), flags: flags, mode: 0o600) else {
            return
        }
        dup2(log.rawValue, STDERR_FILENO)
    }

    func save() {
        do {
            try machine.write(status)
        } catch {
            // A full disk: the machine goes on, and its directory tells less about it.
            StandardError.offer(line: "aerie-vm: \(error)")
        }
    }
}
