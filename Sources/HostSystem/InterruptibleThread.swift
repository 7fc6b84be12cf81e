internal import CLinux

/// A thread whose blocking system calls can be interrupted, so that it can be joined though it waits for a descriptor.
package final class InterruptibleThread: Sendable {
    /// Between two attempts to interrupt the thread, in nanoseconds.
    private static let interval: UInt64 = 10_000_000

    private let hasEnded: Monitor<Bool>
    private let thread: HostThread

    /// Starts a thread. `body` returns soon when it has been told to, by means of its own, and a call returns EINTR.
    package init(name: String, body: @escaping @Sendable () -> Void) throws(SystemError) {
        _ = try checked("sigaction") { aerie_interrupt_prepare() }
        let hasEnded = Monitor(false)
        self.hasEnded = hasEnded
        thread = try HostThread(name: name) {
            // Whatever mask the thread inherited.
            aerie_interrupt_admit()
            body()
            hasEnded.update { $0 = true }
        }
    }

    /// Makes a blocking system call that the thread is in return EINTR. Any thread, at any time.
    package func interrupt() {
        // With the lock held: the thread cannot be joined between the look and the signal.
        hasEnded.withLock { if !$0 { thread.interrupt() } }
    }

    /// Interrupts the thread until its body returns, and joins it. Once, not from the thread itself.
    package func join() {
        // A signal that arrives just before the thread enters the kernel interrupts nothing: it is repeated.
        interrupt()
        while hasEnded.wait(until: HostClock.monotonic() &+ Self.interval, { $0 ? () : nil }) == nil { interrupt() }
        thread.join()
    }
}
