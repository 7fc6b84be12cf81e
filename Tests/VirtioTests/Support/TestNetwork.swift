import HostNetwork
import HostSystem

/// The network behind a card in a test: frames that it sent are kept, and frames for it are queued by the test.
final class TestNetwork: NetworkBackend, @unchecked Sendable {
    // @unchecked: everything that changes is behind the monitor, or used on the loop's thread.
    struct State {
        var sent: [(header: OffloadHeader, bytes: [UInt8])] = []
        var waiting: [(header: OffloadHeader, bytes: [UInt8])] = []
        var isFull = false
        var isUp = true
        var offloads: ReceiveOffloads?
        var handler: (@Sendable (NetworkEvent) -> Void)?
    }

    let mtu: UInt16 = 1500
    let hasPartialChecksums: Bool
    let hasSegmentation: Bool
    let state = Monitor(State())
    private var held: (header: OffloadHeader, bytes: UnsafeMutableRawBufferPointer)?

    init(hasOffloads: Bool = false) {
        hasPartialChecksums = hasOffloads
        hasSegmentation = hasOffloads
    }

    deinit { held?.bytes.deallocate() }

    var isLinkUp: Bool { state.withLock(\.isUp) }

    func start(on loop: EventLoop, log: Log, handler: @escaping @Sendable (NetworkEvent) -> Void) throws(SystemError) {
        state.update { $0.handler = handler }
    }

    func activate(_ offloads: ReceiveOffloads) { state.update { $0.offloads = offloads } }
    func stop() { state.update { $0.handler = nil } }

    func send(_ frame: OutgoingFrame) -> Bool {
        let copy = (frame.header, Array(frame.bytes))
        return state.update { state in
            if !state.isFull { state.sent.append(copy) }
            return !state.isFull
        }
    }

    func receive() -> IncomingFrame? {
        if held == nil, let next = state.withLock({ $0.waiting.first }) {
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: next.bytes.count, alignment: 1)
            bytes.copyBytes(from: next.bytes)
            held = (next.header, bytes)
        }
        return held.map { IncomingFrame(header: $0.header, bytes: UnsafeRawBufferPointer($0.bytes)) }
    }

    func consume() {
        held?.bytes.deallocate()
        held = nil
        state.update { _ = $0.waiting.removeFirst() }
    }

    // MARK: The test's doing

    /// Drops the frames that were not taken.
    func forget() {
        TestLoop.shared.sync { [self] in
            held?.bytes.deallocate()
            held = nil
            state.update { $0.waiting = [] }
        }
    }

    private func tell(_ event: NetworkEvent) {
        guard let handler = state.withLock(\.handler) else { return }
        TestLoop.shared.sync { handler(event) }
    }

    func deliver(_ bytes: [UInt8], header: OffloadHeader = OffloadHeader()) {
        state.update { $0.waiting.append((header, bytes)) }
        tell(.readable())
    }

    func makeRoom() {
        state.update { $0.isFull = false }
        tell(.writable())
    }

    func setLink(_ isUp: Bool) {
        state.update { $0.isUp = isUp }
        tell(.link)
    }

    var sent: [[UInt8]] { state.withLock { $0.sent.map(\.bytes) } }
}
