internal import Synchronization

/// The parts of a request, of which the last to finish completes it, with the first error.
final class RequestParts: Sendable {
    private let state = Mutex((left: 0, error: DiskImageError?.none))
    private let completion: DiskCompletion

    init(_ completion: @escaping DiskCompletion) { self.completion = completion }

    /// All parts are added before the first can finish: both happen on the loop's thread.
    func add() { state.withLock { $0.left += 1 } }

    @Sendable func finish(_ error: DiskImageError?) {
        let result: DiskImageError?? = state.withLock { state in
            state.left -= 1
            if state.error == nil { state.error = error }
            return state.left == 0 ? .some(state.error) : nil
        }
        if let result { completion(result) }
    }
}
