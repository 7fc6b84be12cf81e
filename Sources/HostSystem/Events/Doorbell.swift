internal import CLinux
internal import Glibc
internal import Synchronization

/// What one thread sleeps on until another one, or the kernel on behalf of a guest, rings.
package final class Doorbell: Sendable {
    private let descriptor: FileDescriptor
    // Set by `ring`, so that only the first of several needs a system call. The kernel rings without it.
    private let isRung = Atomic(false)

    package init() throws(SystemError) {
        descriptor = FileDescriptor(owning: try checked("eventfd") { aerie_blocking_eventfd() })
    }

    /// The eventfd(2) that the kernel may ring; open as long as this object lives.
    package var rawValue: Int32 { descriptor.rawValue }

    /// Lets `wait` return: a call that sleeps, or the next one. Any thread.
    package func ring() {
        guard !isRung.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var one: UInt64 = 1
        _ = write(descriptor.rawValue, &one, MemoryLayout<UInt64>.size)
    }

    /// Sleeps until somebody has rung since the last call.
    package func wait() {
        var count: UInt64 = 0
        while read(descriptor.rawValue, &count, MemoryLayout<UInt64>.size) == -1, errno == EINTR {}
        // Whoever rings from here on wants another look; whoever rang before gets it when this returns.
        _ = isRung.exchange(false, ordering: .acquiringAndReleasing)
    }
}
