internal import Glibc
internal import HostSystem
internal import Synchronization

/// Lets work that has something to clear away end in order when this process is told to end.
///
/// The first SIGINT, SIGTERM or SIGHUP cancels the work; `finish` then ends the process by that signal, as whoever sent it
/// expects. A second one does so at once, and so does every one after `finish`.
final class Interruption: Sendable {
    private struct State {
        var cancel: (@Sendable () -> Void)?
        var signal: Int32?
        var watch: SignalWatch?
        var loop: EventLoop?
    }

    private let state: Mutex<State>

    /// - Parameter cancel: called on the thread of an event loop.
    init(cancel: @escaping @Sendable () -> Void) {
        state = Mutex(State(cancel: cancel))
    }

    /// Begins to watch.
    func start() throws(SystemError) {
        let loop = try EventLoop(name: "signals")
        try loop.start()
        state.withLock { $0.loop = loop }
        let watch = try SignalWatch([SIGINT, SIGTERM, SIGHUP], on: loop) { [self] signal in receive(signal) }
        state.withLock { $0.watch = watch }
    }

    private func receive(_ signal: Int32) {
        let cancel = state.withLock { state in
            defer {
                state.cancel = nil
                state.signal = signal
            }
            return state.cancel
        }
        guard let cancel else { SignalWatch.end(by: signal) }
        cancel()
    }

    /// The work has ended, one way or the other.
    ///
    /// - Parameter message: what to say, for people, when the work was interrupted.
    func finish(_ message: String?) {
        let (signal, watch, loop) = state.withLock { state in
            state.cancel = nil
            defer { (state.watch, state.loop) = (nil, nil) }
            return (state.signal, state.watch, state.loop)
        }
        watch?.cancel()
        loop?.stop()
        guard let signal else { return }
        if let message { StandardError.write("aerie: \(message)\n") }
        SignalWatch.end(by: signal)
    }
}
