internal import CLinux
internal import Glibc
internal import Synchronization

/// An eventfd(2) that lets another thread, or the kernel on behalf of a guest, call a handler of an event loop.
package final class Doorbell: Sendable {
    private let descriptor: FileDescriptor
    // Set by `ring`, so that only the first of several calls needs a system call. The kernel rings without it.
    private let isRung = Atomic(false)

    package init() throws(SystemError) {
        descriptor = FileDescriptor(owning: try checked("eventfd") { aerie_eventfd() })
    }

    /// The eventfd that the kernel may ring; open as long as this object lives.
    package var rawValue: Int32 { descriptor.rawValue }

    /// Lets the handler run once more after this call, or for the first time. Any thread; it never blocks.
    package func ring() {
        guard !isRung.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        _ = write(descriptor.rawValue, &one, MemoryLayout<UInt64>.size)
    }

    /// Calls `handler` on the loop's thread whenever the bell has been rung, until the source is cancelled. A ring from before
    /// this call counts as well.
    package func watch(
        on loop: EventLoop, handler: @escaping @Sendable () -> Void
    ) throws(SystemError) -> EventSource {
        // Edges only: the counter never has to be read, which saves a system call for each ring. It does not overflow.
        try loop.watch(descriptor.rawValue, for: .readable, onlyChanges: true) { [self] _ in
            // Whoever rings from here on wants another call; whoever rang before gets it now.
            _ = isRung.exchange(false, ordering: .acquiringAndReleasing)
            handler()
        }
    }
}
