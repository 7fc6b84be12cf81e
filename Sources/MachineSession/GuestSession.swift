package import Aerie
internal import ControlAPI
internal import Glibc
internal import HostSystem
package import Runtime

/// A guest on this process's terminal, from its start to its end.
///
/// SIGTERM, SIGINT and SIGHUP ask the guest to power off; a second one, or `stopTimeout` without an end, kills it. The exit
/// codes are podman's: the guest's own when it ended by itself, even when it was asked to, and 137 (128 + SIGKILL) when
/// it was killed. Leaving with Ctrl-] is no failure.
///
/// What the guest wrote before its end is delivered for as long as the reader takes. The same signals end this wait, and
/// nothing waits for the reader of a guest that was killed.
package struct GuestSession {
    /// Seconds.
    package static let defaultStopTimeout = 10
    private static let killedCode: Int32 = 128 + SIGKILL

    private let configuration: Configuration
    private let stopTimeout: Int
    private let log: SessionLog
    private let charge: MachineMonitor.Charge?
    private let services: HostServices
    private let stopSignals: [Int32]
    private let enclose: @Sendable () throws(AerieError) -> Void

    /// - Parameters:
    ///   - stopTimeout: seconds.
    ///   - charge: of a machine that is kept; nil for one that is only this process.
    ///   - services: what other processes do on the host for the machine.
    ///   - stopSignals: ask the guest of a machine that is not kept to power off.
    ///   - enclose: called when every file is open, before the first thread starts and the guest runs.
    package init(
        _ configuration: Configuration, stopTimeout: Int, log: SessionLog, charge: MachineMonitor.Charge? = nil,
        services: HostServices = .direct, stopSignals: [Int32] = [SIGTERM, SIGINT, SIGHUP],
        enclose: @escaping @Sendable () throws(AerieError) -> Void = {}
    ) {
        self.configuration = configuration
        self.stopTimeout = stopTimeout
        self.log = log
        self.charge = charge
        var services = services
        services.memory = charge?.saved?.memory
        services.code = charge?.saved?.code
        services.bootCode = charge?.bootCode?.file
        services.keepsReplacedCode = charge?.bootCode?.isForOthers ?? false
        services.arrival = charge?.saved?.arrival
        services.codeStorage = charge.flatMap { Self.codeStorage($0) }
        self.services = services
        self.stopSignals = stopSignals
        self.enclose = enclose
    }

    /// A file without a name in a machine's directory for code that its idle machine gives up; nil where there can be none, and copies generate
    /// the code anew.
    private static func codeStorage(_ charge: MachineMonitor.Charge) -> Int32? {
        guard charge.configuration.architecture == .riscv64, charge.configuration.engine != .interpret else {
            return nil
        }
        return try? FileDescriptor(unnamedIn: "/proc/self/fd/\(charge.directory)").release()
    }

    /// Runs the guest and returns the code to exit with. A machine that is kept reports its end to its monitor, too.
    ///
    /// - Parameters:
    ///   - input: typed for the guest; with `output` it is not used by a machine in the background.
    ///   - output: gets what the guest writes. Both stay the caller's.
    package func run(input: Int32 = STDIN_FILENO, output: Int32 = STDOUT_FILENO) throws(AerieError) -> Int32 {
        // A reader of our output that goes away is reported by write(2), in the console.
        SignalWatch.discard(SIGPIPE)
        let parts = try SessionParts(
            configuration, log, charge, services, stopTimeout: stopTimeout, input: input, output: output)
        // Console, relay and stopper refer to each other in a ring.
        defer { parts.relay.disconnect() }
        try enclose()
        return try runOnNewThread(parts)
    }

    /// Runs the session on a new thread, and waits for its end.
    ///
    /// The main thread of a machine's process must not share a lock of the Swift runtime with another thread. Such a lock has its owner's thread
    /// number, which the runtime keeps in a variable of the thread. The process is a copy of its monitor (fork(2)), and so is that variable: the
    /// main thread locks with the number of the monitor. When a second thread waits for the lock, the kernel finds no owner (FUTEX_LOCK_PI of
    /// futex(2)), and both threads try for ever. Each global variable has such a lock for its first use.
    private func runOnNewThread(_ parts: SessionParts) throws(AerieError) -> Int32 {
        // The main thread waits, so that one thread at a time accesses it.
        nonisolated(unsafe) var result: Result<Int32, AerieError>?
        let thread = try Self.opening { () throws(SystemError) in
            try HostThread(name: "machine") {
                result = Result { () throws(AerieError) in try runEnclosed(parts) }
            }
        }
        thread.join()
        guard let result else { preconditionFailure("a thread that has ended has a result") }
        return try result.get()
    }

    private func runEnclosed(_ parts: SessionParts) throws(AerieError) -> Int32 {
        try log.start()
        let loop = try Self.opening { () throws(SystemError) in
            let loop = try EventLoop(name: "session")
            try loop.start()
            try parts.keeping?.start()
            return loop
        }
        defer { loop.stop() }
        let sources = try Self.opening { () throws(SystemError) in
            try parts.stopper.start(parts.machine, on: loop)
            return try parts.watch(stopSignals, on: loop)
        }
        defer {
            sources.cancel()
            parts.stopper.finish()
            parts.keeping?.finish()
        }
        return try reportingEnd(of: parts) { (kind) throws(AerieError) in try runMachine(parts, &kind) }
    }

    /// - Parameter kind: set when the machine has run to its end.
    private func runMachine(_ parts: SessionParts, _ kind: inout EndKind?) throws(AerieError) -> Int32 {
        let outcome: VirtualMachine.Outcome
        do throws(AerieError) {
            outcome = try runToEnd(parts)
        } catch {
            parts.terminal?.close()
            throw error
        }
        kind = EndKind(outcome)
        let dropped = parts.terminal?.close() ?? 0
        return try exitCode(
            of: outcome, killedFor: parts.stopper.reason, lost: parts.relay.lossReason, dropped: dropped)
    }

    private func runToEnd(_ parts: SessionParts) throws(AerieError) -> VirtualMachine.Outcome {
        try parts.terminal?.open()
        if parts.terminal?.isInteractive == true, StandardError.isTerminal {
            StandardError.write("\(log.program): Ctrl-] three times leaves the guest\r\n")
        }
        let arrival = try beginArrival(parts)
        if let saved = charge?.saved {
            // The disks are open and locked by now.
            try parts.machine.requireUnchanged(saved.sharedDisks)
            try parts.machine.start(restoring: saved.state, except: saved.disks, isCopy: saved.isCopy) {
                () throws(AerieError) in try arrival?.noteRunning()
            }
        } else {
            try parts.machine.start()
        }
        arrival?.announce(MigrationReceiver.outcome(name: charge?.machine.record.name ?? ""))
        let outcome = parts.machine.wait()
        arrival?.noteEnd()
        parts.terminal?.flush()
        return outcome
    }

    /// Begins to receive the memory of a machine whose guest runs before all of it is there.
    private func beginArrival(_ parts: SessionParts) throws(AerieError) -> PageReceiver? {
        guard let charge, let files = charge.saved?.arrival else { return nil }
        let pages = try parts.machine.pageReceiver(files)
        let name = charge.machine.record.name
        try pages.begin { [program = log.program] found in
            let error = AerieError(
                .inputOutput, asked: "machine '\(name)'", found: "its memory has not come: \(found)",
                advice: "it has ended, as if its power were cut; see what the sender says")
            StandardError.write("\(program): \(error)\n")
            charge.link.reportEnd(code: error.exitCode, error: error, kind: .crashed, isWanted: true)
            // Threads of the guest and of its devices wait for memory that never comes: none of them can be joined.
            _exit(error.exitCode)
        }
        return pages
    }

    /// Tells the monitor, and programs at the control socket, how the machine ended.
    private func reportingEnd(
        of parts: SessionParts, _ body: (inout EndKind?) throws(AerieError) -> Int32
    ) throws(AerieError) -> Int32 {
        var kind: EndKind?
        func report(_ code: Int32, _ error: AerieError?) {
            parts.server?.finish(ControlServer.Outcome(code: code, error: error, kind: kind))
            parts.keeping?.charge.link.reportEnd(code: code, error: error, kind: kind, isWanted: parts.stopper.wasAsked)
        }
        do throws(AerieError) {
            let code = try body(&kind)
            report(code, nil)
            return code
        } catch {
            report(error.exitCode, error)
            throw error
        }
    }

    private static func opening<Result>(_ body: () throws(SystemError) -> Result) throws(AerieError) -> Result {
        do throws(SystemError) {
            return try body()
        } catch {
            throw AerieError(opening: "the guest's session", error)
        }
    }

    private func exitCode(
        of outcome: VirtualMachine.Outcome, killedFor reason: GuestStopper.Reason?, lost: String?, dropped: Int
    ) throws(AerieError) -> Int32 {
        if case .crashed(let reason) = outcome {
            throw AerieError(
                .internalError, asked: "running the guest", found: reason, advice: "report it if the guest is sound")
        }
        if let found = outcome.deathOfTheGuest {
            throw AerieError(
                .internalError, asked: "running the guest", found: found, advice: "its console may say more")
        }
        if let lost {
            throw AerieError(
                .inputOutput, asked: "the guest's console on standard output", found: lost,
                advice: "the guest was told to power off; what it wrote since is lost")
        }
        if outcome == .stopped {
            if reason == .left { return 0 }
            if reason != .killed { reportKill(reason) }
            return Self.killedCode
        }
        if dropped > 0 {
            throw AerieError(
                .inputOutput, asked: "the guest's console on standard output",
                found: "nobody read the last \(dropped) bytes before a signal ended the wait",
                advice: "the guest itself ended in order")
        }
        // The shell keeps eight bits, and 0 would be a success.
        guard case .failed(let code) = outcome else { return 0 }
        return (1...255).contains(code) ? Int32(code) : 255
    }

    /// Like podman, which warns when a container that is stopped has to be killed.
    private func reportKill(_ reason: GuestStopper.Reason?) {
        let found =
            reason == .secondRequest
            ? "killed by a second signal before it had powered off"
            : "killed because it did not power off within \(stopTimeout) s; --stop-timeout allows more"
        // The reader of a terminal may be the reason for the second signal.
        StandardError.offer(line: "\(log.program): stopping the guest: \(found)")
    }
}
