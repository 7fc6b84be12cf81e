internal import HostSystem
internal import Synchronization

/// Writes to a file whose file system makes a writer wait (ext4, for one, has no writes with RWF_NOWAIT). One thread at a time does
/// them, in their order: such file systems hold a lock of the file meanwhile, for which more threads would only queue.
final class WriteLane: Sendable {
    struct Result: Sendable {
        let operation: FileOperation
        let error: DiskImageError?
    }

    /// Writes before their results are delivered.
    private static let writesAtOnce = 8

    // Bounded by the requests that the guest's queues hold.
    private let state = Mutex((waiting: [FileOperation](), hasThread: false))

    /// - Returns: whether the caller has to find a thread that calls `serve`.
    func add(_ operation: FileOperation) -> Bool {
        state.withLock { state in
            state.waiting.append(operation)
            defer { state.hasThread = true }
            return !state.hasThread
        }
    }

    /// Does the writes that wait, until there are none; returns then.
    func serve(deliver: ([Result]) -> Void) {
        while true {
            let operations = takeWaiting()
            if operations.isEmpty { return }
            deliver(operations.map { Result(operation: $0, error: $0.runBlocking()) })
        }
    }

    private func takeWaiting() -> [FileOperation] {
        state.withLock { state in
            let taken = Array(state.waiting.prefix(Self.writesAtOnce))
            state.waiting.removeFirst(taken.count)
            if taken.isEmpty { state.hasThread = false }
            return taken
        }
    }

    /// There is no thread: nothing waits any more.
    func takeAll() -> [FileOperation] {
        state.withLock { state in
            defer { state = ([], false) }
            return state.waiting
        }
    }
}
