internal import Translator

/// Where a call returns to.
struct Landing {
    let address: UInt64
    /// The number of the block there.
    let block: Int
}

// The return stack: what calls note, most returns find.
extension Generator {
    /// Where a call at the end of a block returns to, if that is a block of the same batch or region.
    func landing(of block: GuestBlock, _ resolve: (UInt64) -> LinkTarget) -> Landing? {
        guard hasReturnStack, let address = block.returnAddress, case .block(let index) = resolve(address),
            !isBehindBorder[index]
        else {
            return nil
        }
        return Landing(address: address, block: index)
    }

    /// Odd addresses mark what holds nothing.
    private var hasReturnStack: Bool { layout.jumps.returnTop != nil && layout.codeAlignment == 2 }

    /// Tells the return stack of a call that is about to leave the code of its page. Uses rcx and rdx.
    mutating func noteReturn(_ landing: Landing?) {
        guard let landing, let top = layout.jumps.returnTop else { return }
        assembler.move(.rcx, .memory(state(top)))
        moveInRing(by: 1)
        assembler.store(state(top), .rcx, bytes: 8)
        load(.rdx, address: landing.address)
        assembler.store(Address(.rcx), .rdx, bytes: 8)
        landings.append((assembler.loadAddressOfPosition(.rdx), landing.block))
        assembler.store(Address(.rcx, 8), .rdx, bytes: 8)
    }

    /// rcx = the entry so many after the one at rcx.
    private mutating func moveInRing(by count: Int) {
        assembler.arithmetic(.add, .register(.rcx), Int32(16 * count))
        // The ring begins where this bit is 0.
        assembler.arithmetic(.and, .register(.rcx), ~Int32(16 * StateLayout.JumpLayout.returnCount))
    }

    /// Goes on at the guest address in rax, where the last call is to return to; falls through when it is to return elsewhere. Uses rcx and rdx.
    ///
    /// - Parameter leave: brings the slots to where baseline code has them.
    mutating func emitReturn(leave: (inout Generator) -> Void) {
        guard hasReturnStack, let top = layout.jumps.returnTop else { return }
        assembler.move(.rcx, .memory(state(top)))
        assembler.arithmetic(.cmp, to: .memory(Address(.rcx)), .rax)
        let other = assembler.jump(.notEqual)
        assembler.move(.rdx, .memory(Address(.rcx, 8)))
        moveInRing(by: StateLayout.JumpLayout.returnCount - 1)
        assembler.store(state(top), .rcx, bytes: 8)
        leave(&self)
        assembler.jump(.register(.rdx))
        assembler.linkHere(other)
    }
}
