internal import CLinux
internal import Glibc
internal import HostSystem

/// Signals of the process as bytes to poll for, for a thread without an event loop.
///
/// At most one inbox or `SignalWatch` of a signal at a time: signals are the process's.
struct SignalInbox: ~Copyable {
    private let signals: [Int32]
    /// Readable when a signal has come. It stays the process's.
    let descriptor: Int32

    /// Watches `signals`, of which there is one at least, until the value's end; those that the process was started with ignored stay ignored.
    init(_ signals: [Int32]) throws(SystemError) {
        let owner = signals[0]
        let pipe = try checked("pipe2") { aerie_signal_pipe(owner) }
        for signal in signals {
            _ = try checked("sigaction \(signal)") { aerie_signal_watch(signal, owner) }
            _ = aerie_signal_unblock(signal)
        }
        descriptor = pipe
        self.signals = signals
    }

    deinit {
        for signal in signals { aerie_signal_unwatch(signal) }
    }

    /// The oldest signal that has come; nil when there is none.
    func next() -> Int32? {
        var byte: UInt8 = 0
        return read(descriptor, &byte, 1) == 1 ? Int32(byte) : nil
    }
}
