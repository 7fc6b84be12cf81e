internal import Translator

// Regions of two pages. A region is entered in its first page only. What that page shows does not change while the region runs, and neither
// does what the second one shows: a change of the guest's page tables, or of code, leaves generated code. So the second page is checked where
// control comes to it from the first.
extension Generator {
    /// The jumps of a check that fails.
    struct BorderFailures {
        /// The processor does not know the second page, or no longer: it fetches from it.
        let unknown: [Int]
        /// The second page is another one.
        let other: Int
    }

    /// Whether a jump from the present block to another one comes to the region's second page.
    func crossesBorder(to index: Int) -> Bool { isBehindBorder[index] && !(block?.isBehindBorder ?? false) }

    /// Checks that the second page is the one that the region was translated from. Uses rax and rcx, at the end of a block.
    ///
    /// - Returns: jumps for the case that it is not, or that the processor has fetched nothing from it of late.
    mutating func emitBorderCheck() -> BorderFailures {
        guard let border else { preconditionFailure("blocks behind a border have one") }
        typealias Layout = StateLayout.JumpLayout
        load(.rax, address: border.address)
        var offset: Int32 = 0
        if isRelative {
            emitPageAddress()
        } else {
            assembler.move(.rcx, .memory(state(layout.jumps.pages)))
            offset = Int32(Int(truncatingIfNeeded: border.address >> 12) & (layout.jumps.pageCount - 1)) << 5
        }
        assembler.arithmetic(.cmp, to: .memory(Address(.rcx, offset + Int32(Layout.virtualOffset))), .rax)
        let isOther = assembler.jump(.notEqual)
        assembler.move(.rax, .memory(state(layout.jumps.tag)))
        assembler.arithmetic(.cmp, to: .memory(Address(.rcx, offset + Int32(Layout.pageTagOffset))), .rax)
        let isOld = assembler.jump(.notEqual)
        assembler.move(.rax, value: border.physical)
        assembler.arithmetic(.cmp, to: .memory(Address(.rcx, offset + Int32(Layout.physicalOffset))), .rax)
        return BorderFailures(unknown: [isOther, isOld], other: assembler.jump(.notEqual))
    }
}
