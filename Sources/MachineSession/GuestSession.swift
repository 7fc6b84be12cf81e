package import Aerie
internal import Glibc
internal import HostSystem

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
    private let services: HostServices
    private let stopSignals: [Int32]
    private let whenBuilt: () throws(AerieError) -> Void

    /// - Parameters:
    ///   - stopTimeout: seconds.
    ///   - services: what other processes do on the host for the machine.
    ///   - stopSignals: ask the guest to power off.
    ///   - whenBuilt: called when the machine has opened its files, and before the session starts its first thread.
    package init(
        _ configuration: Configuration, stopTimeout: Int, log: SessionLog, services: HostServices = .direct,
        stopSignals: [Int32] = [SIGTERM, SIGINT, SIGHUP], whenBuilt: @escaping () throws(AerieError) -> Void = {}
    ) {
        self.configuration = configuration
        self.stopTimeout = stopTimeout
        self.log = log
        self.services = services
        self.stopSignals = stopSignals
        self.whenBuilt = whenBuilt
    }

    /// Runs the guest on two descriptors, which stay the caller's, and returns the code to exit with.
    package func run(input: Int32 = STDIN_FILENO, output: Int32 = STDOUT_FILENO) throws(AerieError) -> Int32 {
        // A reader of our output that goes away is reported by write(2), in the console.
        SignalWatch.discard(SIGPIPE)
        let relay = EventRelay()
        let console = try TerminalChannel(input: input, output: output) { relay.send($0) }
        let stopper = GuestStopper(timeout: UInt64(stopTimeout) * 1_000_000_000) {
            console.endScript()
        } abandonOutput: {
            console.abandonOutput()
        }
        relay.connect(stopper)
        // Console, relay and stopper refer to each other in a ring.
        defer { relay.disconnect() }
        let machine = try VirtualMachine(configuration, console: console, services: services, log: log.machine)
        try whenBuilt()
        let loop = try Self.opening { () throws(SystemError) in
            let loop = try EventLoop(name: "session")
            try loop.start()
            return loop
        }
        defer { loop.stop() }
        let watch = try Self.opening { () throws(SystemError) in
            try stopper.start(machine, on: loop)
            return try SignalWatch(stopSignals + [SIGWINCH], on: loop) { signal in
                if signal == SIGWINCH { return console.windowSizeChanged() }
                stopper.ask()
            }
        }
        defer {
            watch.cancel()
            stopper.finish()
        }
        let outcome: VirtualMachine.Outcome
        do throws(AerieError) {
            outcome = try run(machine, on: console)
        } catch {
            console.close()
            throw error
        }
        let dropped = console.close()
        return try exitCode(of: outcome, killedFor: stopper.reason, lost: relay.lossReason, dropped: dropped)
    }

    private func run(
        _ machine: VirtualMachine, on console: TerminalChannel
    ) throws(AerieError) -> VirtualMachine.Outcome {
        try console.open()
        if console.isInteractive && StandardError.isTerminal {
            StandardError.write("\(log.program): Ctrl-] three times leaves the guest\r\n")
        }
        try machine.start()
        let outcome = machine.wait()
        console.flush()
        return outcome
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
            reportKill(reason)
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
        StandardError.write("\(log.program): stopping the guest: \(found)\n")
    }
}

extension VirtualMachine.Outcome {
    /// The reason why the guest is dead without Aerie's doing; nil for other outcomes.
    fileprivate var deathOfTheGuest: String? {
        switch self {
        case .panicked: "its kernel panicked"
        case .watchdogExpired: "it did not serve its watchdog in time"
        case .poweredOff, .failed, .reset, .crashed, .stopped: nil
        }
    }
}

/// Passes the console's events on to the stopper, which is made after the console.
private final class EventRelay: Sendable {
    private struct State {
        var stopper: GuestStopper?
        var lossReason: String?
    }

    private let state = Monitor(State())

    func connect(_ stopper: GuestStopper) { state.withLock { $0.stopper = stopper } }

    func disconnect() { state.withLock { $0.stopper = nil } }

    /// Why output was lost; nil when it was not.
    var lossReason: String? { state.withLock { $0.lossReason } }

    func send(_ event: TerminalChannel.Event) {
        let stopper = state.withLock { state in
            if case .outputLost(let reason) = event { state.lossReason = reason }
            return state.stopper
        }
        switch event {
        case .escape: stopper?.leave()
        case .outputLost: stopper?.ask()
        }
    }
}
