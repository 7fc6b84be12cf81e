internal import HostSystem
internal import Synchronization

/// Writes to a file whose file system makes a writer wait (ext4, for one, has no writes with RWF_NOWAIT). One thread at a time does
/// them, in their order: such file systems hold a lock of the file meanwhile, for which more threads would only queue.
final class WriteLane: Sendable {
    struct Result: Sendable {
        let operation: FileOperation
        let error: DiskImageError?
    }

    /// Writes before their results are delivered, and before other work has its turn on the thread.
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

    /// Does the first of the writes that wait.
    func serve() -> [Result] {
        let operations = state.withLock { state in
            let taken = Array(state.waiting.prefix(Self.writesAtOnce))
            state.waiting.removeFirst(taken.count)
            return taken
        }
        return operations.map { Result(operation: $0, error: $0.runBlocking()) }
    }

    /// After `serve`.
    ///
    /// - Returns: whether the caller has to find a thread that calls `serve` once more.
    func needsThread() -> Bool {
        state.withLock { state in
            state.hasThread = !state.waiting.isEmpty
            return state.hasThread
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
