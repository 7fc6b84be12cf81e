import HostSystem
import VirtioDevices

/// A clock that stands still until a test moves it.
final class TestClock: RateClock {
    private struct State {
        var now: UInt64 = 1_000_000_000
        var alarm: UInt64?
        var handler: (@Sendable () -> Void)?
    }

    private let state = Monitor(State())

    var now: UInt64 { state.withLock(\.now) }
    /// Nanoseconds until the alarm; nil when none is set.
    var wait: UInt64? { state.withLock { state in state.alarm.map { $0 - state.now } } }

    func start(on loop: EventLoop, handler: @escaping @Sendable () -> Void) throws(SystemError) {
        state.update { $0.handler = handler }
    }

    func schedule(at time: UInt64) { state.update { $0.alarm = time } }
    func stop() { state.update { $0.handler = nil } }

    /// Moves the time, and rings if the alarm is due.
    func advance(by nanoseconds: UInt64) {
        let handler = state.update { state -> (@Sendable () -> Void)? in
            state.now += nanoseconds
            guard let alarm = state.alarm, alarm <= state.now else { return nil }
            state.alarm = nil
            return state.handler
        }
        if let handler { TestLoop.shared.sync { handler() } }
    }
}
