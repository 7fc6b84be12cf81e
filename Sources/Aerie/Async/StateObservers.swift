/// Sequences of a machine's states that are being read.
struct StateObservers {
    /// States that wait for a slow reader at most.
    static let bufferSize = 64

    private var next = 0
    private var observers: [(id: Int, continuation: AsyncStream<VirtualMachine.State>.Continuation)] = []

    /// Adds a sequence, which begins with the present state.
    ///
    /// - Returns: nil when no other state will come.
    mutating func add(
        _ continuation: AsyncStream<VirtualMachine.State>.Continuation, present: VirtualMachine.State
    ) -> Int? {
        continuation.yield(present)
        if case .ended = present { return nil }
        next += 1
        observers.append((next, continuation))
        return next
    }

    mutating func remove(_ id: Int) { observers.removeAll { $0.id == id } }

    /// Tells a change. The end of the machine is the end of all sequences.
    mutating func tell(_ state: VirtualMachine.State) {
        guard !observers.isEmpty else { return }
        for observer in observers { observer.continuation.yield(state) }
        if case .ended = state { finish() }
    }

    mutating func finish() {
        for observer in observers { observer.continuation.finish() }
        observers = []
    }
}
