internal import CLinux
internal import Glibc

/// A dedicated host thread for work that blocks or never ends: vCPUs, event loops, disk workers. Such work must not run on
/// Swift's cooperative thread pool.
package final class HostThread: @unchecked Sendable {
    // @unchecked: `handle` is written once in init before the object is shared; `join` is called by one owner.
    /// Called at the start of each thread with its name, before its body: the jail narrows what the thread may ask of the kernel.
    // nonisolated(unsafe): written while the process has one thread, and only read afterwards.
    package nonisolated(unsafe) static var atStart: (@Sendable (_ name: String) -> Void)?

    private var handle = pthread_t()
    private var joined = false

    private final class Start {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts a thread. ps and perf show `name`; the kernel keeps its first 15 bytes.
    package init(name: String, body: @escaping @Sendable () -> Void) throws(SystemError) {
        let start = Unmanaged.passRetained(Start(name: name, body: body))
        let code = pthread_create(
            &handle, nil,
            { argument in
                let start = Unmanaged<Start>.fromOpaque(argument!).takeRetainedValue()
                aerie_name_thread(start.name)
                HostThread.atStart?(start.name)
                start.body()
                return nil
            }, start.toOpaque())
        if code != 0 {
            start.release()
            joined = true
            throw SystemError("pthread_create \(name)", code: code)
        }
    }

    // A thread without an owner gives its stack back by itself when it ends.
    deinit {
        if !joined { pthread_detach(handle) }
    }

    /// Waits for the thread's body to return. Call it once, and not from the thread itself.
    package func join() {
        precondition(!joined, "a thread is joined once")
        joined = true
        pthread_join(handle, nil)
    }

    /// Makes a blocking system call of the thread return with EINTR, if it is in one. Before `join`; `InterruptibleThread`
    /// keeps the rules.
    func interrupt() { aerie_interrupt(UInt(handle)) }
}

/// Yields the processor to other threads, for a loop that waits for one of them.
package func yieldProcessor() {
    sched_yield()
}
