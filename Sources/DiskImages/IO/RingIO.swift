internal import HostSystem

/// File operations on a ring. Everything happens on the thread of its loop.
final class RingIO: @unchecked Sendable {
    // @unchecked: used on the loop's thread only.

    /// Room for the operations in flight and as many cancellations.
    static let entries = 2 * mostInFlight
    static let mostInFlight = 128
    /// Submissions before other handlers of the loop have their turn.
    private static let roundsAtOnce = 8
    private static let cancellation = UInt64.max

    /// Takes an operation that the ring will not do.
    typealias Fallback = @Sendable (FileOperation) -> Void

    private struct Entry {
        let operation: FileOperation
        let fallback: Fallback
    }

    private let ring: IORing
    private unowned let loop: EventLoop
    private var source: EventSource?
    // By identifier.
    private var inFlight = [Entry?](repeating: nil, count: mostInFlight)
    private var free = Array(0..<mostInFlight)
    // Oldest first, from `next` on. Bounded by the requests that the guest's queues hold.
    private var waiting: [Entry] = []
    private var next = 0
    private var isScheduled = false

    init(_ ring: consuming IORing, loop: EventLoop) throws(SystemError) {
        self.loop = loop
        let descriptor = ring.rawValue
        self.ring = ring
        source = try loop.watch(descriptor, for: .readable) { [unowned self] _ in push() }
    }

    deinit { source?.cancel() }

    func submit(_ operation: FileOperation, orElse fallback: @escaping Fallback) {
        waiting.append(Entry(operation: operation, fallback: fallback))
        schedule()
    }

    func cancel(_ group: IOGroup) {
        let left = waiting[next...].filter { entry in
            guard entry.operation.group === group else { return true }
            loop.beforeWaiting { entry.operation.completion(.cancelled) }
            return false
        }
        (waiting, next) = (Array(left), 0)
        for (identifier, entry) in inFlight.enumerated() where entry?.operation.group === group {
            let isPrepared = ring.prepare(.cancel(UInt64(identifier)), on: -1, at: 0, identifier: Self.cancellation)
            // Without room, the operation runs to its end, as one does that cannot be cancelled any more.
            if !isPrepared { break }
        }
        schedule()
    }

    /// Several requests share a system call.
    private func schedule() {
        guard !isScheduled else { return }
        isScheduled = true
        loop.beforeWaiting { [self] in push() }
    }

    /// Submits what waits and completes what has finished, until neither is left.
    private func push() {
        // A completion may submit another request: it is taken in a later round, or after other handlers had their turn.
        isScheduled = true
        for _ in 0..<Self.roundsAtOnce {
            prepareWaiting()
            let isTaken = ring.submit()
            let finished = collect()
            // Whatever the kernel has not taken, it takes when there is something to collect, or later.
            if !isTaken, finished == 0 { break }
            if isTaken, finished == 0 || next == waiting.count {
                isScheduled = false
                return
            }
        }
        loop.async { [self] in push() }
    }

    private func prepareWaiting() {
        defer { dropPrepared() }
        while next < waiting.count, let identifier = free.last {
            let operation = waiting[next].operation
            guard
                ring.prepare(
                    operation.nextStep(), on: operation.descriptor, at: operation.position,
                    identifier: UInt64(identifier))
            else { return }
            free.removeLast()
            inFlight[identifier] = waiting[next]
            next += 1
        }
    }

    /// Moving the rest only when half of the entries are gone keeps the cost of an entry constant.
    private func dropPrepared() {
        guard next * 2 >= waiting.count else { return }
        waiting.removeFirst(next)
        next = 0
    }

    private func collect() -> Int {
        ring.collect { completion in
            guard completion.identifier != Self.cancellation else { return }
            let identifier = Int(completion.identifier)
            guard let entry = inFlight[identifier] else { preconditionFailure("an operation completes once") }
            inFlight[identifier] = nil
            free.append(identifier)
            switch entry.operation.advance(by: completion.result) {
            case .finished(let error): entry.operation.completion(error)
            case .again: waiting.append(entry)
            case .blocking: entry.fallback(entry.operation)
            }
        }
    }
}
