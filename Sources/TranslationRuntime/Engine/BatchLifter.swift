internal import Translator

/// Lifts a block and the blocks of the same page that it jumps to, nearest first.
struct BatchLifter {
    let page: PageSnapshot
    private let frontEnd: any GuestFrontEnd
    private let limit: Int
    private(set) var blocks: [GuestBlock] = []
    /// The bytes that they were lifted from.
    private(set) var covered: [Range<Int>] = []
    /// Offsets of blocks that are lifted, or wait for it.
    private var known: Set<Int> = []
    private var waiting: [Int] = []

    init(page: PageSnapshot, frontEnd: any GuestFrontEnd, limit: Int) {
        self.page = page
        self.frontEnd = frontEnd
        self.limit = limit
    }

    mutating func lift(from offset: Int) {
        known.insert(offset)
        waiting.append(offset)
        while blocks.count < limit, let next = waiting.popLast() { liftBlock(next) }
    }

    private mutating func liftBlock(_ start: Int) {
        // Where another block begins, this one goes on as that one.
        let lifted = frontEnd.lift(page, from: start) { offset in
            page.entries[offset] != nil || known.contains(offset)
        }
        guard let lifted else { return }
        covered.append(start..<start + lifted.byteCount)
        blocks.append(lifted.block)
        switch lifted.block.terminator {
        case .jump(let target): follow(target)
        case .branch(_, _, _, let taken, let next), .branchFlag(_, _, let taken, let next):
            follow(taken)
            // The last one in is lifted first, so that it follows in memory.
            follow(next)
        case .indirect(_, _, let link, let returnAddress): if link != nil { follow(returnAddress) }
        }
    }

    private mutating func follow(_ target: UInt64) {
        guard target & ~0xFFF == page.base else { return }
        let offset = Int(target & 0xFFF)
        guard page.entries[offset] == nil, known.insert(offset).inserted else { return }
        waiting.append(offset)
    }
}
