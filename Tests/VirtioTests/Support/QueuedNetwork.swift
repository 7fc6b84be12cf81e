import HostNetwork
import HostSystem

/// A network with several queues, as a TAP interface has them.
final class QueuedNetwork: NetworkBackend, @unchecked Sendable {
    // @unchecked: everything that changes is behind the monitor, or used on the loop's thread.
    struct State {
        var sent: [(queue: Int, bytes: [UInt8])] = []
        var waiting: [[[UInt8]]]
        var fullQueues: Set<Int> = []
        var usedQueues: [Int] = []
        var handler: (@Sendable (NetworkEvent) -> Void)?
    }

    let mtu: UInt16 = 1500
    let hasPartialChecksums = true
    let hasSegmentation = false
    let isLinkUp = true
    let queueCount: Int
    let state: Monitor<State>
    private var held: [UnsafeMutableRawBufferPointer?]

    init(queueCount: Int) {
        self.queueCount = queueCount
        state = Monitor(State(waiting: Array(repeating: [], count: queueCount)))
        held = Array(repeating: nil, count: queueCount)
    }

    deinit { for bytes in held { bytes?.deallocate() } }

    func start(on loop: EventLoop, log: Log, handler: @escaping @Sendable (NetworkEvent) -> Void) throws(SystemError) {
        state.update { $0.handler = handler }
    }

    func activate(_ offloads: ReceiveOffloads) {}
    func useQueues(_ count: Int) { state.update { $0.usedQueues.append(count) } }
    func stop() { state.update { $0.handler = nil } }

    func send(_ frame: OutgoingFrame) -> Bool { send(frame, on: 0) }
    func receive() -> IncomingFrame? { receive(on: 0) }
    func consume() { consume(on: 0) }

    func send(_ frame: OutgoingFrame, on queue: Int) -> Bool {
        let bytes = Array(frame.bytes)
        return state.update { state in
            guard !state.fullQueues.contains(queue) else { return false }
            state.sent.append((queue, bytes))
            return true
        }
    }

    func receive(on queue: Int) -> IncomingFrame? {
        if held[queue] == nil, let next = state.withLock({ $0.waiting[queue].first }) {
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: next.count, alignment: 8)
            bytes.copyBytes(from: next)
            held[queue] = bytes
        }
        return held[queue].map { IncomingFrame(header: OffloadHeader(), bytes: UnsafeRawBufferPointer($0)) }
    }

    func consume(on queue: Int) {
        held[queue]?.deallocate()
        held[queue] = nil
        state.update { _ = $0.waiting[queue].removeFirst() }
    }

    // MARK: The test's doing

    /// Drops the frames that were not taken.
    func forget() {
        TestLoop.shared.sync { [self] in
            for queue in held.indices {
                held[queue]?.deallocate()
                held[queue] = nil
            }
            state.update { $0.waiting = Array(repeating: [], count: queueCount) }
        }
    }

    func deliver(_ bytes: [UInt8], on queue: Int) {
        let handler = state.update { state in
            state.waiting[queue].append(bytes)
            return state.handler
        }
        TestLoop.shared.sync { handler?(.readable(queue: queue)) }
    }

    func makeRoom(on queue: Int) {
        let handler = state.update { state in
            state.fullQueues.remove(queue)
            return state.handler
        }
        TestLoop.shared.sync { handler?(.writable(queue: queue)) }
    }
}
