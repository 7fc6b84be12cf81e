internal import Synchronization

/// A descriptor that an event loop waits for, until `cancel`.
package final class EventSource: Sendable {
    private let loop: EventLoop
    private let descriptor: Int32
    private let identifier: UInt64
    private let onlyChanges: Bool
    private let isCancelled = Atomic(false)

    init(loop: EventLoop, descriptor: Int32, identifier: UInt64, onlyChanges: Bool) {
        self.loop = loop
        self.descriptor = descriptor
        self.identifier = identifier
        self.onlyChanges = onlyChanges
    }

    deinit { cancel() }

    /// Changes what the source waits for; with no events it reports failures only. Any thread.
    package func setEvents(_ events: EventLoop.Events) {
        guard !isCancelled.load(ordering: .acquiring) else { return }
        // The descriptor is in the set until it is cancelled, so that this cannot fail.
        try? loop.set(descriptor, events, identifier, isNew: false, onlyChanges: onlyChanges)
    }

    /// Calls the handler on the calling thread, if the loop has nothing else to do: see `EventLoop.visit`. The handler is not told of
    /// events.
    ///
    /// - Returns: false when the handler was not called.
    package func visit() -> Bool {
        !isCancelled.load(ordering: .acquiring) && loop.visit(identifier)
    }

    /// Ends the source. When this returns, its handler does not run and will not run again, unless the handler itself calls
    /// this. The caller must not hold a lock that the handler takes.
    package func cancel() {
        guard !isCancelled.exchange(true, ordering: .acquiringAndReleasing) else { return }
        loop.remove(descriptor, identifier)
    }
}
