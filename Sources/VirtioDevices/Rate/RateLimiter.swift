internal import HostSystem

/// Keeps one stream of requests to a rate, without ever holding one back that was taken: the device leaves requests in its queue
/// while `mustWait` is true, and is called when it may look again. So a limit delays neither pauses nor the end of a machine.
final class RateLimiter: @unchecked Sendable {
    // @unchecked: the buckets are touched on the loop's thread only.

    private let clock: any RateClock
    private var bytes: TokenBucket?
    private var operations: TokenBucket?

    /// Nil when `rate` limits nothing.
    init?(_ rate: DeviceRate, clock: any RateClock) {
        guard rate != DeviceRate() else { return nil }
        self.clock = clock
        bytes = rate.bytes.map(TokenBucket.init)
        operations = rate.operations.map(TokenBucket.init)
    }

    /// - Parameter handler: called on the loop's thread when a request that had to wait can pass.
    func start(on loop: EventLoop, handler: @escaping @Sendable () -> Void) throws(SystemError) {
        try clock.start(on: loop, handler: handler)
    }

    func stop() { clock.stop() }

    /// Whether the next request has to wait. If so, the handler is called when its time has come.
    func mustWait() -> Bool {
        let time = max(bytes?.passesFrom ?? 0, operations?.passesFrom ?? 0)
        guard time > clock.now else { return false }
        clock.schedule(at: time)
        return true
    }

    /// Counts a request that passes.
    func count(bytes count: Int) {
        let now = clock.now
        bytes?.spend(UInt64(count), at: now)
        operations?.spend(1, at: now)
    }
}
