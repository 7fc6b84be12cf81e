internal import Translator

/// Lifts a block and the blocks of the same page that it jumps to, nearest first.
struct BatchLifter {
    private let page: TranslatedPage
    private let features: HostFeatures
    private let limit: Int
    private let bytes: UnsafeRawPointer
    private(set) var blocks: [GuestBlock] = []
    /// Offsets of blocks that are lifted, or wait for it.
    private var known: Set<Int> = []
    private var waiting: [Int] = []

    init(page: TranslatedPage, features: HostFeatures, limit: Int) {
        self.page = page
        self.features = features
        self.limit = limit
        bytes = page.startDecoding()
    }

    mutating func lift(from offset: Int) {
        known.insert(offset)
        waiting.append(offset)
        while blocks.count < limit, let next = waiting.popLast() { liftBlock(next) }
    }

    private mutating func liftBlock(_ start: Int) {
        let base = page.key.virtual
        var lifter = BlockLifter(address: base + UInt64(start), features: features)
        var offset = start
        while !lifter.isComplete, let bits = page.instruction(at: offset, in: bytes) {
            // Where another block begins, this one goes on as that one.
            if offset != start, page.entries[offset] != nil || known.contains(offset) { break }
            guard let instruction = InstructionTable.find(bits) else { break }
            // A block of one helper call that leaves it costs more than the interpreter does.
            if offset == start, instruction.endsBlock, case .helper = instruction.lift { return }
            lifter.append(instruction, bits: bits, at: base + UInt64(offset))
            offset += bits & 3 == 3 ? 4 : 2
        }
        guard lifter.count > 0 else { return }
        page.cover(start, count: offset - start)
        var block = lifter.block(next: base + UInt64(offset))
        block.foldConstants()
        block.removeDeadWrites()
        blocks.append(block)
        switch block.terminator {
        case .jump(let target): follow(target)
        case .branch(_, _, _, let taken, let next):
            follow(taken)
            // The last one in is lifted first, so that it follows in memory.
            follow(next)
        case .indirect(_, _, let link, let returnAddress): if link != nil { follow(returnAddress) }
        }
    }

    private mutating func follow(_ target: UInt64) {
        guard target & ~0xFFF == page.key.virtual else { return }
        let offset = Int(target & 0xFFF)
        guard page.entries[offset] == nil, known.insert(offset).inserted else { return }
        waiting.append(offset)
    }
}
