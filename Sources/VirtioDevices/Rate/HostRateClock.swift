internal import HostSystem
internal import Synchronization

/// The host's monotonic clock, with a timer of the event loop.
final class HostRateClock: RateClock {
    private let timer = Mutex<EventTimer?>(nil)

    var now: UInt64 { HostClock.monotonic() }

    func start(on loop: EventLoop, handler: @escaping @Sendable () -> Void) throws(SystemError) {
        let timer = try EventTimer(on: loop, handler: handler)
        self.timer.withLock { $0 = timer }
    }

    func schedule(at time: UInt64) { timer.withLock { $0 }?.schedule(at: time) }

    func stop() {
        let timer = timer.withLock { timer in
            defer { timer = nil }
            return timer
        }
        timer?.cancel()
    }
}
