internal import CLinux
internal import Glibc

/// Turns signals into calls on a thread of its own, where everything is allowed that a signal handler must not do.
///
/// It lasts as long as the process. A later one takes over the signals of earlier ones.
package final class SignalWatch: Sendable {
    private let thread: HostThread

    /// Watches `signals`; those that the process was started with ignored stay ignored.
    package init(_ signals: [Int32], handler: @escaping @Sendable (Int32) -> Void) throws(SystemError) {
        let descriptor = try checked("pipe2") { aerie_signal_pipe() }
        thread = try HostThread(name: "signals") {
            let pipe = FileDescriptor(owning: descriptor)
            // Whoever started this process may have had them blocked, as many threads have.
            for signal in signals { _ = aerie_signal_unblock(signal) }
            var byte: UInt8 = 0
            while true {
                var entry = pollfd(fd: pipe.rawValue, events: Int16(POLLIN), revents: 0)
                _ = poll(&entry, 1, -1)
                while Glibc.read(pipe.rawValue, &byte, 1) == 1 { handler(Int32(byte)) }
            }
        }
        for signal in signals { _ = try checked("sigaction \(signal)") { aerie_signal_watch(signal) } }
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
