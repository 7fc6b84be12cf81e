/// Lets writes of whole blocks pass together, and each write of part of a block alone, in the order of their arrival.
final class WriteGate: @unchecked Sendable {
    // @unchecked: used on the thread of an event loop only.

    private struct Waiter {
        let isExclusive: Bool
        let body: @Sendable () -> Void
    }

    private var inside = 0
    private var isExclusive = false
    // Bounded by the requests that the guest's queues hold.
    private var waiting: [Waiter] = []

    /// Calls `body` now or when it may go on. `leave` follows when it is done.
    func enter(isExclusive: Bool, _ body: @escaping @Sendable () -> Void) {
        waiting.append(Waiter(isExclusive: isExclusive, body: body))
        letPass()
    }

    func leave() {
        inside -= 1
        isExclusive = false
        letPass()
    }

    private func letPass() {
        while let next = waiting.first, !isExclusive, inside == 0 || !next.isExclusive {
            waiting.removeFirst()
            inside += 1
            isExclusive = next.isExclusive
            next.body()
        }
    }
}
