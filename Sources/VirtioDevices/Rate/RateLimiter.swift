internal import HostSystem
internal import Synchronization

/// Keeps one stream of requests to a rate, without ever holding one back that was taken: the device leaves requests in its queue
/// while `mustWait` is true, and is called when it may look again. So a limit delays neither pauses nor the end of a machine.
final class RateLimiter: Sendable {
    private struct State {
        var bytes: TokenBucket?
        var operations: TokenBucket?
        /// Nil before the start and after the end.
        var loop: EventLoop?
        var handler: (@Sendable () -> Void)?
        var clockRuns = false

        mutating func set(_ rate: DeviceRate) {
            bytes = rate.bytes.map(TokenBucket.init)
            operations = rate.operations.map(TokenBucket.init)
        }
    }

    private let clock: any RateClock
    private let state = Mutex(State())
    /// Whether there is a bucket. Devices without a rate, nearly all, take no lock.
    private let isLimited: Atomic<Bool>

    init(_ rate: DeviceRate, clock: any RateClock) {
        self.clock = clock
        isLimited = Atomic(rate != DeviceRate())
        state.withLock { $0.set(rate) }
    }

    /// - Parameter handler: called on the loop's thread when a request that had to wait can pass.
    func start(on loop: EventLoop, handler: @escaping @Sendable () -> Void) throws(SystemError) {
        state.withLock { state in
            state.loop = loop
            state.handler = handler
        }
        if isLimited.load(ordering: .acquiring) { try startClock() }
    }

    /// Changes the rate, from the next request on. Any thread, between `start` and `stop`; not at the same time as another call.
    func set(_ rate: DeviceRate) throws(SystemError) {
        if rate != DeviceRate() { try startClock() }
        let (loop, clockRuns) = state.withLock { state in
            state.set(rate)
            return (state.loop, state.clockRuns)
        }
        isLimited.store(rate != DeviceRate(), ordering: .releasing)
        guard clockRuns else { return }
        // A request that waits by the old rate may pass by the new one. The alarm does not ring after `stop`.
        loop?.async { [clock] in clock.schedule(at: clock.now) }
    }

    /// A limiter without a rate has no timer.
    private func startClock() throws(SystemError) {
        let (loop, handler) = state.withLock { $0.clockRuns ? (nil, nil) : ($0.loop, $0.handler) }
        guard let loop, let handler else { return }
        try clock.start(on: loop, handler: handler)
        state.withLock { $0.clockRuns = true }
    }

    func stop() {
        let clockRuns = state.withLock { state in
            defer { (state.loop, state.handler, state.clockRuns) = (nil, nil, false) }
            return state.clockRuns
        }
        if clockRuns { clock.stop() }
    }

    /// Whether the next request has to wait. If so, the handler is called when its time has come. On the loop's thread.
    func mustWait() -> Bool {
        guard isLimited.load(ordering: .acquiring) else { return false }
        let time = state.withLock { max($0.bytes?.passesFrom ?? 0, $0.operations?.passesFrom ?? 0) }
        guard time > clock.now else { return false }
        clock.schedule(at: time)
        return true
    }

    /// Counts a request that passes. On the loop's thread.
    func count(bytes count: Int) {
        guard isLimited.load(ordering: .acquiring) else { return }
        let now = clock.now
        state.withLock { state in
            state.bytes?.spend(UInt64(count), at: now)
            state.operations?.spend(1, at: now)
        }
    }
}
