internal import Aerie
internal import HostSystem

/// Ends a guest that is asked to end: in order first, then hard. After the guest's end, the same requests end the wait for
/// the reader of its output.
final class GuestStopper: Sendable {
    private struct State {
        var hasBeenAsked = false
        var left = false
        /// Nothing waits any more, neither for the guest nor for its reader.
        var hasGivenUp = false
        var machine: VirtualMachine?
        var timer: EventTimer?
    }

    private let timeout: UInt64
    /// Ends the wait for the reader of the guest's output.
    private let abandonOutput: @Sendable () -> Void
    private let state = Monitor(State())

    /// - Parameters:
    ///   - timeout: nanoseconds from the first request to the kill.
    ///   - abandonOutput: any thread; it must not block.
    init(timeout: UInt64, abandonOutput: @escaping @Sendable () -> Void) {
        self.timeout = timeout
        self.abandonOutput = abandonOutput
    }

    /// Begins to serve requests, also those that came before.
    func start(_ machine: VirtualMachine, on loop: EventLoop) throws(SystemError) {
        let timer = try EventTimer(on: loop) { [self] in giveUp() }
        let (wasAsked, hasGivenUp) = state.update { state in
            state.machine = machine
            state.timer = timer
            return (state.hasBeenAsked, state.hasGivenUp)
        }
        if hasGivenUp { return giveUp() }
        if wasAsked { stop(machine, timer) }
    }

    /// Asks the guest to power off, or kills it when it has been asked before. Any thread; it never waits.
    func ask() {
        let (isFirst, machine, timer) = state.update { state in
            defer { state.hasBeenAsked = true }
            return (!state.hasBeenAsked, state.machine, state.timer)
        }
        guard isFirst else { return giveUp() }
        if let machine, let timer { stop(machine, timer) }
    }

    /// Kills the guest because its user left. Any thread; it never waits.
    func leave() {
        state.update { $0.left = true }
        giveUp()
    }

    var hasLeft: Bool { state.withLock { $0.left } }

    /// The session is over: nothing is left to do.
    func finish() {
        let timer = state.update { state in
            defer { (state.timer, state.machine) = (nil, nil) }
            return state.timer
        }
        timer?.cancel()
    }

    private func stop(_ machine: VirtualMachine, _ timer: EventTimer) {
        machine.requestPowerOff()
        timer.schedule(at: HostClock.monotonic() &+ timeout)
    }

    private func giveUp() {
        let machine = state.update { state in
            state.hasGivenUp = true
            return state.machine
        }
        machine?.kill()
        abandonOutput()
    }
}
