internal import Aerie
internal import HostSystem

/// Ends a guest that is asked to end: in order first, then hard.
final class GuestStopper: Sendable {
    private struct State {
        var asks = 0
        var left = false
        var finished = false
    }

    private let timeout: UInt64
    private let state = Monitor(State())

    /// - Parameter timeout: nanoseconds from the first request to the kill.
    init(timeout: UInt64) {
        self.timeout = timeout
    }

    /// Begins to serve requests, also those that came before.
    func start(_ machine: VirtualMachine) throws(SystemError) {
        _ = try HostThread(name: "stopper") { [self] in
            guard state.wait({ $0.finished ? false : $0.asks > 0 || $0.left ? true : nil }) == true else { return }
            if !state.withLock({ $0.left }) { machine.requestPowerOff() }
            let deadline = HostClock.monotonic() &+ timeout
            let isOver = state.wait(until: deadline) { $0.finished ? true : $0.asks > 1 || $0.left ? false : nil }
            if isOver != true { machine.kill() }
        }
    }

    /// Asks the guest to power off, or kills it when it has been asked before. Any thread.
    func ask() { state.update { $0.asks += 1 } }

    /// Kills the guest because its user left. Any thread.
    func leave() { state.update { $0.left = true } }

    var hasLeft: Bool { state.withLock { $0.left } }

    /// The guest has ended: nothing is left to do.
    func finish() { state.update { $0.finished = true } }
}
