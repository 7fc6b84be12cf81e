package import GuestMemory
package import SavedState
internal import Synchronization
package import Virtio

/// A region of memory whose blocks the guest plugs and unplugs on the host's request (virtio-mem; VIRTIO 1.2, section 5.15).
///
///     offset  size  configuration
///          0     8  bytes of a block
///          8     2  NUMA node (not offered)
///         16     8  guest-physical address of the region
///         24     8  bytes of the region
///         32     8  bytes of the region that can be plugged: all
///         40     8  bytes that are plugged
///         48     8  bytes that the host asks for
///
/// The region is part of the guest's memory from the start; the host allocates its pages at the first access. An unplugged block is given
/// back to the host and reads as zero. A guest that uses unplugged blocks against the rules occupies the host's memory up to the region's
/// size, and no more.
package final class MemoryDevice: VirtioDevice, @unchecked Sendable {
    // @unchecked: `shared` is a lock; everything else is constant.

    /// Bytes of a block. Linux plugs memory in multiples of its own memory blocks and page blocks, of which this is a part.
    package static let blockSize: UInt64 = 2 << 20
    /// Blocks that are unplugged before other handlers of the loop have their turn.
    private static let blocksAtOnce = 32

    /// The bytes that the host asks for, and the bytes that are plugged.
    package struct Status: Equatable, Sendable {
        package var requested: UInt64
        package var plugged: UInt64

        package init(requested: UInt64, plugged: UInt64) { (self.requested, self.plugged) = (requested, plugged) }
    }

    private struct Shared {
        /// Bytes.
        var requested: UInt64 = 0
        var blocks: MemoryBlocks
        /// What is left of the first request in the queue, which unplugs blocks.
        var unplugging: Range<Int>?
        var generation: UInt32 = 0
        /// The driver was not told yet that the configuration has changed.
        var isUnsignalled = false
        var service: QueueService?
    }

    package let type = VirtioDeviceType.memory
    package let features = MemoryFeature.offered
    package let queueSizes: [UInt16] = [64]
    /// Guest-physical address of the region.
    package let base: UInt64
    /// Bytes of the region.
    package let size: UInt64

    private let shared: Mutex<Shared>

    /// - Parameters:
    ///   - base: guest-physical address; a multiple of `blockSize`.
    ///   - size: bytes, all of them in the guest's memory; a multiple of `blockSize`, more than 0.
    package init(base: UInt64, size: UInt64) {
        precondition(base % Self.blockSize == 0 && size % Self.blockSize == 0 && size > 0, "a region is whole blocks")
        self.base = base
        self.size = size
        shared = Mutex(Shared(blocks: MemoryBlocks(count: Int(size / Self.blockSize))))
    }

    // MARK: The host's side: any thread

    /// Asks the driver to have so many bytes plugged: whole blocks, at most `size`.
    package func request(_ bytes: UInt64) {
        precondition(bytes % Self.blockSize == 0 && bytes <= size, "the caller checks the size")
        let service = shared.withLock { shared in
            shared.requested = bytes
            shared.generation &+= 1
            shared.isUnsignalled = true
            return shared.service
        }
        service?.wake()
    }

    package var status: Status {
        shared.withLock { Status(requested: $0.requested, plugged: UInt64($0.blocks.pluggedCount) * Self.blockSize) }
    }

    /// Unplugs all blocks at a reset of the machine. The host's request stays. The device does not run meanwhile.
    package func unplugAll(in memory: GuestMemory) {
        let all = shared.withLock { 0..<$0.blocks.count }
        release(all, memory)
        shared.withLock { shared in
            shared.blocks.unplug(all)
            shared.unplugging = nil
            shared.generation &+= 1
        }
    }

    // MARK: Configuration

    package var configuration: [UInt8] {
        let status = status
        let words = [Self.blockSize, 0, base, size, size, status.plugged, status.requested]
        return words.flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64($0))) } }
    }

    package var configurationGeneration: UInt32 { shared.withLock(\.generation) }

    package func writeConfiguration(_ bytes: [UInt8], at offset: Int) {}

    // MARK: Requests

    package func serve(_ request: TakenRequest, _ session: VirtioSession) throws(VirtQueueError) -> RequestProgress {
        if let rest = shared.withLock(\.unplugging) { return unplug(rest, request, session) }
        // An answer that does not fit would leave the driver in doubt about what was done.
        guard request.chain.writable.count >= MemoryResponse.size else { return .done(written: 0) }
        let bytes = request.chain.readable.bytes(count: MemoryRequest.size, in: session.memory)
        guard let wanted = MemoryRequest(bytes) else { return answer(request, session, .error) }
        switch wanted.kind {
        case .plug: return answer(request, session, plug(wanted))
        case .state:
            guard let blocks = blocks(of: wanted) else { return answer(request, session, .error) }
            return answer(request, session, .acknowledged, state(of: blocks))
        case .unplug, .unplugAll:
            // A page that is still to come would be there again after the block was given back.
            if session.memory.arriving?.areMissing == true { return answer(request, session, .busy) }
            guard let blocks = blocksToUnplug(wanted) else { return answer(request, session, .error) }
            return unplug(blocks, request, session)
        }
    }

    /// The blocks that a request names; nil unless they are whole blocks of the region.
    private func blocks(of request: MemoryRequest) -> Range<Int>? {
        guard request.address >= base, request.address % Self.blockSize == 0, request.count > 0 else { return nil }
        let first = (request.address - base) / Self.blockSize
        let count = size / Self.blockSize
        guard first < count, UInt64(request.count) <= count - first else { return nil }
        return Int(first)..<Int(first) + request.count
    }

    private func plug(_ request: MemoryRequest) -> MemoryResponse {
        guard let blocks = blocks(of: request) else { return .error }
        return shared.withLock { shared in
            let wanted = UInt64(shared.blocks.pluggedCount + blocks.count) * Self.blockSize
            guard wanted <= shared.requested else { return .refused }
            guard shared.blocks.plugged(in: blocks) == 0 else { return .error }
            shared.blocks.plug(blocks)
            shared.generation &+= 1
            return .acknowledged
        }
    }

    private func state(of blocks: Range<Int>) -> MemoryResponse.BlockState {
        switch shared.withLock({ $0.blocks.plugged(in: blocks) }) {
        case 0: .unplugged
        case blocks.count: .plugged
        default: .mixed
        }
    }

    private func blocksToUnplug(_ request: MemoryRequest) -> Range<Int>? {
        shared.withLock { shared in
            guard request.kind == .unplug else { return 0..<shared.blocks.count }
            guard let blocks = blocks(of: request), shared.blocks.plugged(in: blocks) == blocks.count else {
                return nil
            }
            return blocks
        }
    }

    /// Unplugs the first of some blocks. The request is done, or the rest follows after other handlers of the loop; what the request says
    /// is not read again.
    private func unplug(_ rest: Range<Int>, _ request: TakenRequest, _ session: VirtioSession) -> RequestProgress {
        let part = rest.prefix(Self.blocksAtOnce)
        release(part, session.memory)
        let left = rest.dropFirst(Self.blocksAtOnce)
        let service = shared.withLock { shared in
            shared.blocks.unplug(part)
            shared.generation &+= 1
            shared.unplugging = left.isEmpty ? nil : left
            return shared.service
        }
        if left.isEmpty { return answer(request, session, .acknowledged) }
        service?.lookLater(at: request.queue)
        return .waits
    }

    private func release(_ blocks: Range<Int>, _ memory: GuestMemory) {
        let start = base + UInt64(blocks.lowerBound) * Self.blockSize
        // The board has the region in the guest's memory.
        try? memory.discardToZero(at: start, count: UInt64(blocks.count) * Self.blockSize)
    }

    private func answer(
        _ request: TakenRequest, _ session: VirtioSession, _ response: MemoryResponse,
        _ state: MemoryResponse.BlockState = .plugged
    ) -> RequestProgress {
        .done(written: request.chain.writable.write(response.bytes(state), in: session.memory))
    }

    // MARK: Lifecycle

    package func start(_ service: QueueService) { shared.withLock { $0.service = service } }

    package func awaken(_ session: VirtioSession) {
        let isChanged = shared.withLock { shared in
            defer { shared.isUnsignalled = false }
            return shared.isUnsignalled
        }
        if isChanged { session.signals.signalConfigurationChange() }
    }

    // A driver that resets the device keeps its memory (section 5.15.6.2): `unplugAll(in:)` belongs to a reset of the machine.
    package func abandon(queue index: Int) { shared.withLock { $0.unplugging = nil } }

    package func stop() { shared.withLock { $0.service = nil } }

    // MARK: State

    package func save() throws(SavedStateError) -> SavedRecord {
        let shared = self.shared.withLock { $0 }
        var record = SavedRecord(kind: "virtio-mem", version: 1)
        record.set("base", base)
        record.set("size", size)
        record.set("requested", shared.requested)
        record.set("plugged", shared.blocks.bytes)
        record.set("unplugFirst", UInt64(shared.unplugging?.lowerBound ?? 0))
        record.set("unplugCount", UInt64(shared.unplugging?.count ?? 0))
        record.set("generation", shared.generation)
        record.set("isUnsignalled", shared.isUnsignalled)
        return record
    }

    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "virtio-mem", versions: 1...1)
        func check(_ condition: Bool, _ field: String) throws(SavedStateError) {
            if !condition { throw .badField(kind: state.kind, field: field) }
        }
        let count = Int(size / Self.blockSize)
        try check(try state.integer("base") == base, "base")
        try check(try state.integer("size") == size, "size")
        let requested: UInt64 = try state.integer("requested")
        try check(requested <= size && requested % Self.blockSize == 0, "requested")
        guard let blocks = MemoryBlocks(bytes: try state.bytes("plugged", limit: (count + 7) / 8), count: count) else {
            throw .badField(kind: state.kind, field: "plugged")
        }
        let (first, left): (UInt32, UInt32) = (try state.integer("unplugFirst"), try state.integer("unplugCount"))
        try check(UInt64(first) + UInt64(left) <= UInt64(count), "unplugCount")
        let generation: UInt32 = try state.integer("generation")
        let isUnsignalled = try state.boolean("isUnsignalled")
        shared.withLock { shared in
            (shared.requested, shared.blocks) = (requested, blocks)
            shared.unplugging = left > 0 ? Int(first)..<Int(first) + Int(left) : nil
            (shared.generation, shared.isUnsignalled) = (generation, isUnsignalled)
        }
    }
}
