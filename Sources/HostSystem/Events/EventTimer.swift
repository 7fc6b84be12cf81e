internal import CLinux
internal import Glibc

/// A timer of an event loop (timerfd_create(2)).
package final class EventTimer: Sendable {
    private let descriptor: FileDescriptor
    private let source: EventSource

    /// A timer that is not armed. `handler` runs on the loop's thread, once for each time that `schedule` sets.
    package init(on loop: EventLoop, handler: @escaping @Sendable () -> Void) throws(SystemError) {
        let descriptor = FileDescriptor(owning: try checked("timerfd_create") { aerie_timerfd_create() })
        let number = descriptor.rawValue
        source = try loop.watch(number, for: .readable) { _ in
            var expirations: UInt64 = 0
            // Nothing to read: the timer was set again after it expired.
            guard read(number, &expirations, MemoryLayout<UInt64>.size) > 0 else { return }
            handler()
        }
        self.descriptor = descriptor
    }

    /// Arms the timer for a time in nanoseconds of `HostClock.monotonic`, in place of the time that was set before; a time
    /// in the past is now.
    package func schedule(at time: UInt64) { _ = aerie_timerfd_set(descriptor.rawValue, max(time, 1)) }

    /// Takes back what `schedule` set, if the handler has not begun.
    package func disarm() { _ = aerie_timerfd_set(descriptor.rawValue, 0) }

    /// Ends the timer, under the rules of `EventSource.cancel`.
    package func cancel() { source.cancel() }
}
