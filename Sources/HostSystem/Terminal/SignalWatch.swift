internal import CLinux
internal import Glibc

/// Turns signals into calls on an event loop, where everything is allowed that a signal handler must not do.
///
/// At most one watch of a signal at a time: signals are the process's.
package final class SignalWatch: Sendable {
    private let signals: [Int32]
    private let source: EventSource

    /// Watches `signals`, of which there is one at least, until `cancel`; those that the process was started with ignored stay ignored.
    package init(
        _ signals: [Int32], on loop: EventLoop, handler: @escaping @Sendable (Int32) -> Void
    ) throws(SystemError) {
        self.signals = signals
        // All of the watch come by one pipe, in their order.
        let owner = signals[0]
        let pipe = try checked("pipe2") { aerie_signal_pipe(owner) }
        source = try loop.watch(pipe, for: .readable) { _ in
            var byte: UInt8 = 0
            while Glibc.read(pipe, &byte, 1) == 1 { handler(Int32(byte)) }
        }
        for signal in signals { _ = try checked("sigaction \(signal)") { aerie_signal_watch(signal, owner) } }
        // Every other thread may have them blocked: `KVM_RUN` and libraries do so.
        loop.async { for signal in signals { _ = aerie_signal_unblock(signal) } }
    }

    deinit { cancel() }

    /// Gives the signals their former actions back. When this returns, the handler does not run any more, unless it makes the
    /// call.
    package func cancel() {
        for signal in signals { aerie_signal_unwatch(signal) }
        source.cancel()
    }

    /// Ends the process by `signal`, as if it had never been watched.
    package static func end(by number: Int32) -> Never {
        signal(number, SIG_DFL)
        _ = aerie_signal_unblock(number)
        raise(number)
        // A signal whose default is not an end leaves the code that shells give it.
        exit(128 + number)
    }

    /// Drops `signal` in this process, but not in programs that it starts: they have the default action.
    package static func discard(_ signal: Int32) { _ = aerie_signal_discard(signal) }
}
