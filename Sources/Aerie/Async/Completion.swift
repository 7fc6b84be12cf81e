internal import HostSystem

/// A result that a thread provides once, and that any number of tasks wait for.
package final class Completion<Value: Sendable>: Sendable {
    private typealias Outcome = Result<Value, AerieError>

    private struct State {
        var result: Outcome?
        var waiters: [(id: UInt64, continuation: CheckedContinuation<Void, Never>)] = []
        var next: UInt64 = 0
    }

    private let state = Monitor(State())

    package init() {}

    /// Provides the result. The first one counts.
    package func resolve(_ result: Result<Value, AerieError>) {
        let woken = state.withLock { state in
            if state.result == nil { state.result = result }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in woken { waiter.continuation.resume() }
    }

    /// The result; nil as long as there is none.
    package var result: Result<Value, AerieError>? { state.withLock { $0.result } }

    /// Suspends until there is a result.
    ///
    /// - Parameter asked: the request, for the error of a task that is cancelled.
    /// - Throws: the error that was provided, and `cancelled`.
    package func value(_ asked: @autoclosure () -> String) async throws(AerieError) -> Value {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isWaiting = state.withLock { state -> Bool in
                    // A cancellation that comes later finds the waiter; one that has come before is seen here.
                    guard state.result == nil, !Task.isCancelled else { return false }
                    state.waiters.append((id, continuation))
                    return true
                }
                if !isWaiting { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.waiters.firstIndex { $0.id == id }.map { state.waiters.remove(at: $0) }
            }
            waiter?.continuation.resume()
        }
        guard let result else { throw AerieError.cancelled(asked()) }
        return try result.get()
    }
}
