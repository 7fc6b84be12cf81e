internal import HostSystem

/// An event that another thread may wait for.
final class Completion: Sendable {
    private let isComplete = Monitor(false)

    func signal() { isComplete.update { $0 = true } }

    func wait() { _ = isComplete.wait { $0 ? () : nil } }

    /// Waits for at most so many nanoseconds.
    func wait(atMost patience: UInt64) {
        _ = isComplete.wait(until: HostClock.monotonic() + patience) { $0 ? () : nil }
    }
}
