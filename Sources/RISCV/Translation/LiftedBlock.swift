internal import Translator

/// A block of a page, lifted and simplified, with what only the guest's conventions tell of its end.
struct LiftedBlock {
    var block: GuestBlock
    /// Where a call at the end returns to.
    let returnAddress: UInt64?
    /// Whether the block ends as functions do.
    let isReturn: Bool
    /// Where it begins in the page.
    let offset: Int
    let byteCount: Int

    /// Lifts from an offset of a page up to where another block begins. Nil when there is nothing to translate.
    init?(_ page: PageSnapshot, from start: Int, features: HostFeatures, isOther: (Int) -> Bool) {
        let base = page.base
        var lifter = BlockLifter(address: base + UInt64(start), isRelative: page.isRelative, features: features)
        var offset = start
        while !lifter.isComplete, let bits = page.instruction(at: offset) {
            if offset != start, isOther(offset) { break }
            guard let instruction = InstructionTable.find(bits) else { break }
            lifter.append(instruction, bits: bits, at: base + UInt64(offset))
            offset += bits & 3 == 3 ? 4 : 2
        }
        guard lifter.count > 0 else { return nil }
        // Behind the last page of all comes the first one.
        block = lifter.block(next: base &+ UInt64(offset))
        block.foldConstants()
        block.removeDeadWrites()
        returnAddress = lifter.returnAddress
        isReturn = lifter.isReturn
        self.offset = start
        byteCount = offset - start
        if case .indirect = block.terminator { block.jumpsAnywhere = !lifter.isReturn }
    }
}
