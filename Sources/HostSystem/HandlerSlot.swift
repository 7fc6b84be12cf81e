internal import Glibc

/// The handler of a channel, which any thread may call and any thread may replace.
///
/// When `set` returns, the handler that it replaced does not run any more, so that its owner may go away.
package final class HandlerSlot: Sendable {
    private struct State {
        var handler: (@Sendable () -> Void)?
        /// The threads that are in the handler; a thread that calls it again inside is here twice.
        var callers: [UInt] = []
    }

    private let state = Monitor(State())

    package init() {}

    /// Replaces the handler; nil removes it. Inside of the handler, this does not wait for its end.
    package func set(_ handler: (@Sendable () -> Void)?) {
        state.update { $0.handler = handler }
        let me = UInt(pthread_self())
        _ = state.wait { state in state.callers.allSatisfy { $0 == me } ? () : nil }
    }

    package var isEmpty: Bool { state.withLock { $0.handler == nil } }

    /// Calls the handler, if there is one.
    package func call() {
        let me = UInt(pthread_self())
        let handler = state.withLock { state in
            if state.handler != nil { state.callers.append(me) }
            return state.handler
        }
        guard let handler else { return }
        handler()
        state.update { state in
            guard let index = state.callers.lastIndex(of: me) else { return }
            state.callers.remove(at: index)
        }
    }
}
