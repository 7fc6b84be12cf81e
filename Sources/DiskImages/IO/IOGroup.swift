internal import Synchronization

/// Requests that are cancelled together: those of one queue of a device.
package final class IOGroup: Sendable {
    package let io: DiskIO
    private let cancelled = Atomic(false)

    package init(_ io: DiskIO) { self.io = io }

    package var isCancelled: Bool { cancelled.load(ordering: .acquiring) }

    /// Cancels every request of the group, and those submitted from now on. Only on the loop's thread.
    ///
    /// Each is still completed, with `cancelled` or with the result that it had already; until then the host may use its
    /// buffers. A request that the host has begun and cannot cancel runs to its end.
    package func cancel() {
        cancelled.store(true, ordering: .releasing)
        io.cancel(self)
    }
}
