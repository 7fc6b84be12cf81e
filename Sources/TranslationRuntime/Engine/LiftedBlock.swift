package import Translator

/// A block of a page, lifted and simplified, with the guest's conventions for its end.
package struct LiftedBlock {
    var block: GuestBlock
    /// Where it begins in the page.
    let offset: Int
    let byteCount: Int

    /// - Parameters:
    ///   - block: as it was lifted.
    ///   - offset: where it begins in its page.
    ///   - byteCount: of its instructions.
    ///   - returnAddress: where a call at the end returns to.
    ///   - isReturn: whether the block ends as functions do.
    ///   - codeAlignment: the front end's.
    package init(
        _ block: GuestBlock, offset: Int, byteCount: Int, returnAddress: UInt64?, isReturn: Bool, codeAlignment: Int
    ) {
        self.block = block
        self.offset = offset
        self.byteCount = byteCount
        self.block.returnAddress = returnAddress
        self.block.isReturn = isReturn
        self.block.foldConstants(codeAlignment: codeAlignment)
        self.block.fuseFlags()
        self.block.removeDeadWrites()
        if case .indirect = self.block.terminator { self.block.jumpsAnywhere = !isReturn }
        self.block.isBehindBorder = offset + byteCount > TranslatedPage.size
    }

    var returnAddress: UInt64? { block.returnAddress }
    var isReturn: Bool { block.isReturn }
}
