internal import CLinux
internal import Glibc
internal import Synchronization

/// An eventfd(2) that lets another thread, or the kernel on behalf of a guest, call a handler of an event loop.
package final class EventNotifier: Sendable {
    private let descriptor: FileDescriptor
    // Set by `notify`, so that only the first of several calls needs a system call. The kernel writes to the eventfd without it.
    private let isNotified = Atomic(false)

    package init() throws(SystemError) {
        descriptor = FileDescriptor(owning: try checked("eventfd") { aerie_eventfd() })
    }

    /// The eventfd, to which the kernel may write as well; open as long as this object lives.
    package var rawValue: Int32 { descriptor.rawValue }

    /// Lets the handler run once more after this call, or for the first time. Any thread; it never blocks.
    package func notify() {
        guard !isNotified.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        _ = write(descriptor.rawValue, &one, MemoryLayout<UInt64>.size)
    }

    /// Calls `handler` on the loop's thread after a notification, until the source is cancelled. Notifications from
    /// before this call count as well.
    package func watch(
        on loop: EventLoop, handler: @escaping @Sendable () -> Void
    ) throws(SystemError) -> EventSource {
        // Edges only: the counter never has to be read, which saves a system call for each notification. It does not overflow.
        try loop.watch(descriptor.rawValue, for: .readable, onlyChanges: true) { [self] _ in
            // A notification from here on leads to another call; earlier ones are served by this one.
            _ = isNotified.exchange(false, ordering: .acquiringAndReleasing)
            handler()
        }
    }
}
