internal import Aerie
internal import HostSystem

/// Ends a guest that is asked to end: in order first, then hard. After the guest's end, the same requests end the wait for
/// the reader of its output.
final class GuestStopper: Sendable {
    /// Why nothing waits any more, neither for the guest nor for its reader.
    enum Reason: Equatable, Sendable {
        /// The user left the guest.
        case left
        /// Somebody ended the machine at once, or its monitor is gone.
        case killed
        /// A signal came after the one that asked the guest to power off.
        case secondRequest
        /// The guest had its time to power off.
        case timeout
    }

    private struct State {
        var hasBeenAsked = false
        /// The first reason; nil as long as somebody waits.
        var reason: Reason?
        var machine: VirtualMachine?
        var timer: EventTimer?
        /// The guest's time to power off in nanoseconds, if a request named one.
        var timeout: UInt64?
        /// When the guest's time to power off is over.
        var deadline: UInt64?
    }

    /// Nanoseconds between two requests to power off. Linux drops bytes for a console that it has not made yet, though it offers
    /// buffers for them, so that a request during boot may be lost.
    private static let interval: UInt64 = 1_000_000_000

    private let timeout: UInt64
    private let onRequest: @Sendable () -> Void
    private let abandonOutput: @Sendable () -> Void
    private let state = Monitor(State())

    /// - Parameters:
    ///   - timeout: nanoseconds from the first request to the kill.
    ///   - onRequest: called when the guest is asked to power off, on any thread; it must not block.
    ///   - abandonOutput: ends the wait for the reader of the guest's output; called on any thread, and must not block.
    init(
        timeout: UInt64, onRequest: @escaping @Sendable () -> Void, abandonOutput: @escaping @Sendable () -> Void
    ) {
        self.timeout = timeout
        self.onRequest = onRequest
        self.abandonOutput = abandonOutput
    }

    /// Begins to serve requests, also those that came before.
    func start(_ machine: VirtualMachine, on loop: EventLoop) throws(SystemError) {
        let timer = try EventTimer(on: loop) { [self] in askAgain() }
        let (wasAsked, reason) = state.update { state in
            state.machine = machine
            state.timer = timer
            return (state.hasBeenAsked, state.reason)
        }
        if let reason { return giveUp(reason) }
        if wasAsked { stop(machine, timer) }
    }

    /// Asks the guest to power off, or kills it when it has been asked before. Any thread; it never waits.
    ///
    /// - Parameter timeout: nanoseconds; nil for the session's. A request with a time of its own never kills at once, however often it
    ///   comes: it sets the time anew.
    func ask(timeout: UInt64? = nil) {
        let (isFirst, machine, timer) = state.update { state in
            defer { state.hasBeenAsked = true }
            if let timeout { state.timeout = timeout }
            return (!state.hasBeenAsked, state.machine, state.timer)
        }
        guard isFirst || timeout != nil else { return giveUp(.secondRequest) }
        if isFirst { onRequest() }
        if let machine, let timer { stop(machine, timer) }
    }

    /// Kills the guest because its user left. Any thread; it never waits.
    func leave() {
        giveUp(.left)
    }

    /// Kills the guest. Any thread; it never waits.
    func kill() {
        giveUp(.killed)
    }

    /// Whether somebody asked the guest to end, or ended it.
    var wasAsked: Bool { state.withLock { $0.hasBeenAsked || $0.reason != nil } }

    /// Why the guest was killed, if it was.
    var reason: Reason? { state.withLock { $0.reason } }

    /// The session is over: nothing is left to do.
    func finish() {
        let timer = state.update { state in
            defer { (state.timer, state.machine) = (nil, nil) }
            return state.timer
        }
        timer?.cancel()
    }

    private func stop(_ machine: VirtualMachine, _ timer: EventTimer) {
        state.update { $0.deadline = HostClock.monotonic() &+ ($0.timeout ?? timeout) }
        request(machine, timer)
    }

    private func request(_ machine: VirtualMachine, _ timer: EventTimer) {
        machine.requestPowerOff()
        let next = HostClock.monotonic() &+ Self.interval
        timer.schedule(at: min(next, state.withLock { $0.deadline ?? next }))
    }

    /// The timer's handler: repeats the request as long as there is time.
    private func askAgain() {
        let (machine, timer, deadline) = state.withLock { ($0.machine, $0.timer, $0.deadline) }
        guard let machine, let timer, let deadline, HostClock.monotonic() < deadline else { return giveUp(.timeout) }
        request(machine, timer)
    }

    private func giveUp(_ reason: Reason) {
        let machine = state.update { state in
            state.reason = state.reason ?? reason
            return state.machine
        }
        machine?.kill()
        abandonOutput()
    }
}
