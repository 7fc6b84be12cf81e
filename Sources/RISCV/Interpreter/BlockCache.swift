internal import Glibc
internal import HostSystem

/// Decoded blocks, found by guest-physical address.
///
/// A block is valid in every address space and privilege mode, since all its instructions lie in one page and addresses
/// are formed relative to `HartState.blockAddress`. Guest code may change at any time; RISC-V makes a change visible to a
/// hart's fetches only by FENCE.I (Unprivileged Architecture 7), which starts a new `generation`: a block is then
/// compared with its source once before it is used again.
struct BlockCache: ~Copyable {
    private(set) var generation: UInt64 = 1

    // Blocks are never freed one by one: they are cut from `arena`, and when that is full, all are forgotten.
    private let arena: UnsafeMutableRawPointer
    private var used = 0
    private static let largestCapacity = 16 << 20
    /// Bytes of `arena` that may be used. With a translator most blocks run a few times, so that keeping them gains little; and of an idle
    /// guest's, a few are enough.
    private var capacity = largestCapacity
    private var mostCapacity = largestCapacity
    private static let translatedCapacity = 1 << 20
    private static let idleCapacity = 1 << 17
    /// The number of retired instructions when all blocks were forgotten.
    private var removedAt: UInt64 = 0
    /// With fewer instructions between two removals there is more room afterwards.
    private static let shortLife: UInt64 = 4 << 20

    // Places in `arena`, which are multiples of 16, with bit 0 set. Zeroed memory is a table of nothing.
    private let index = zeroedMemory(UInt32.self, indexSize)
    private static let indexSize = 1 << 16
    /// How often the block at each place of the index had run when it was last forgotten, so that code which runs again and
    /// again, but rarely, is translated in the end. Another block may find the count of one that had its place.
    private let runs = zeroedMemory(UInt8.self, indexSize)

    private var decoder: InstructionDecoder
    /// Source bytes of the block that is being decoded.
    private let scratch: UnsafeMutableRawPointer

    /// The most one block can take: head, operations, copy, alignment.
    private static let maximumBlockSize =
        MemoryLayout<Block>.stride + (Block.maximumCount + 2) * MemoryLayout<Operation>.stride + Block.maximumCount * 4
        + 16

    /// - Parameter extensions: those of the hart.
    init(_ extensions: ExtensionSet) {
        decoder = InstructionDecoder(extensions)
        // Anonymous memory of this size is mapped lazily: what is never used costs nothing.
        arena = .allocate(byteCount: Self.largestCapacity, alignment: 16)
        scratch = .allocate(byteCount: Block.maximumCount * 4, alignment: 16)
    }

    deinit {
        free(index)
        free(runs)
        scratch.deallocate()
        arena.deallocate()
    }

    /// A translator takes over what runs often. Before anything is decoded.
    mutating func shareWithTranslator() {
        mostCapacity = Self.translatedCapacity
        capacity = mostCapacity
    }

    /// Has memory for the first blocks: the guest goes on at once, and most of its code runs a few times.
    func allocateMemory() {
        HostSystem.allocateMemory(arena, count: min(capacity, Self.firstMemory))
        HostSystem.allocateMemory(index, Self.indexSize)
        HostSystem.allocateMemory(runs, Self.indexSize)
    }

    private static let firstMemory = 1 << 19

    /// Makes changes of guest code visible to later look-ups.
    mutating func startGeneration() { generation &+= 1 }

    /// Whether `make` may forget all blocks to make room; the caller must not use older ones afterwards.
    var isFull: Bool { capacity - used < Self.maximumBlockSize }

    /// Forgets all blocks, because there is no room for more.
    ///
    /// - Parameter retired: instructions that the hart has retired.
    mutating func removeAll(at retired: UInt64) {
        if retired &- removedAt < Self.shortLife { capacity = min(capacity * 2, mostCapacity) }
        removedAt = retired
        used = 0
        for place in 0..<Self.indexSize {
            guard let block = block(at: place) else { continue }
            runs[place] = UInt8(clamping: block.counter.operation.pointee.immediate)
            index[place] = 0
        }
    }

    /// Forgets all blocks and how often they ran, and gives the memory back. There is little room until blocks are made fast.
    mutating func trim() {
        used = 0
        capacity = min(capacity, Self.idleCapacity)
        clearMemory(arena, count: Self.largestCapacity)
        clearMemory(index, Self.indexSize)
        clearMemory(runs, Self.indexSize)
    }

    @inline(__always)
    private func place(_ physical: UInt64) -> Int {
        Int((physical >> 1 ^ physical >> 17) & UInt64(Self.indexSize - 1))
    }

    @inline(__always)
    private func block(at place: Int) -> UnsafeMutablePointer<Block>? {
        let entry = index[place]
        return entry == 0 ? nil : (arena + Int(entry & ~15)).assumingMemoryBound(to: Block.self)
    }

    /// The valid block that starts at a guest-physical address, or nil.
    func find(_ physical: UInt64) -> UnsafeMutablePointer<Block>? {
        guard let block = block(at: place(physical)), block.pointee.physical == physical else { return nil }
        if block.pointee.verified != generation {
            guard memcmp(block.pointee.source, block.pointee.copy, block.pointee.byteCount) == 0 else { return nil }
            block.pointee.verified = generation
        }
        return block
    }

    /// Decodes the instructions at `source`, guest memory that holds `available` bytes up to the end of the page.
    ///
    /// Nil when not even the first instruction lies in the page as a whole.
    mutating func make(
        physical: UInt64, source: UnsafeRawPointer, available: Int
    ) -> UnsafeMutablePointer<Block>? {
        // The guest may write while we read: decode from a private copy, and compare with the same copy later.
        let limit = min(available, Block.maximumCount * 4)
        scratch.copyMemory(from: source, byteCount: limit)

        let block = (arena + used).assumingMemoryBound(to: Block.self)
        let operations = Self.startOperations(of: block)
        var count = 0
        var offset = 0
        while count < Block.maximumCount {
            guard let bits = fetch(offset, limit) else { break }
            let decoded = decoder.decode(bits)
            var operation = decoded.pointee.operation
            operation.offset = UInt16(offset)
            operation.index = UInt8(count)
            (operations + count).initialize(to: operation)
            offset += Int(operation.length)
            count += 1
            if decoded.pointee.endsBlock { break }
        }
        guard count > 0 else { return nil }
        var end = Operation(blockEnd, bits: 3)
        end.offset = UInt16(offset)
        end.index = UInt8(count)
        (operations + count).initialize(to: end)

        let bytes = UnsafeMutableRawPointer(operations + count + 1)
        bytes.copyMemory(from: scratch, byteCount: offset)
        block.initialize(
            to: Block(
                physical: physical, source: source, copy: UnsafeRawPointer(bytes), byteCount: offset,
                verified: generation))
        let place = place(physical)
        index[place] = UInt32(used) | 1
        used = ((bytes + offset) - arena + 15) & ~15
        operations[-1].immediate = Int32(runs[place])
        return block
    }

    /// Decodes one instruction that has no lasting place: it crosses a page, lies outside of memory, or in a page
    /// that PMP divides.
    ///
    /// Only a virtual look-up structure that forgets it with the translation may hold it.
    mutating func makeSingle(bits: UInt32) -> UnsafeMutablePointer<Block> {
        let block = (arena + used).assumingMemoryBound(to: Block.self)
        let operations = Self.startOperations(of: block)
        let operation = decoder.decode(bits).pointee.operation
        operations.initialize(to: operation)
        var end = Operation(blockEnd, bits: 3)
        end.offset = UInt16(operation.length)
        end.index = 1
        (operations + 1).initialize(to: end)
        let bytes = UnsafeMutableRawPointer(operations + 2)
        block.initialize(
            to: Block(
                physical: .max, source: UnsafeRawPointer(bytes), copy: UnsafeRawPointer(bytes), byteCount: 0,
                verified: generation))
        used = (bytes - arena + 15) & ~15
        return block
    }

    /// Writes the counter, and returns where the first instruction's operation goes.
    private static func startOperations(of block: UnsafeMutablePointer<Block>) -> UnsafeMutablePointer<Operation> {
        let counter = UnsafeMutableRawPointer(block + 1).assumingMemoryBound(to: Operation.self)
        counter.initialize(to: Operation(countingInstruction, bits: 3))
        return counter + 1
    }

    /// The instruction at `offset` of the scratch copy; nil when it does not end before `limit`.
    private func fetch(_ offset: Int, _ limit: Int) -> UInt32? {
        guard offset + 2 <= limit else { return nil }
        let low = UInt32(scratch.load(fromByteOffset: offset, as: UInt16.self))
        guard low & 3 == 3 else { return low }
        guard offset + 4 <= limit else { return nil }
        return UInt32(scratch.load(fromByteOffset: offset + 2, as: UInt16.self)) << 16 | low
    }
}

/// Follows the last instruction of a block and goes on at the next address. It retires nothing.
private let blockEnd = Instruction("block end", .none, 3, 3, endsBlock: true) { hart, operation in
    let state = hart.state
    let operands = operation.operation
    state.pointee.retired &+= UInt64(operands.pointee.index)
    return enter(hart, at: state.pointee.blockAddress &+ UInt64(operands.pointee.offset))
}
