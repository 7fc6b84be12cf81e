internal import Translator

// Jumps to guest addresses outside of a page's or a region's code: the jump cache is asked inline, its second level out of line.
extension Generator {
    /// Goes on at the guest address in rax, through the jump cache. Uses rcx and rdx.
    mutating func emitLookup() {
        emitEntryAddress()
        followEntry()
    }

    /// rcx = the jump cache's entry for the guest address in rax.
    private mutating func emitEntryAddress() {
        assembler.copy(.rcx, .rax)
        assembler.shift(.right, .register(.rcx), by: layout.jumps.hashShift)
        assembler.arithmetic(.xor, .rcx, .register(.rax), wide: false)
        assembler.shift(.left, .register(.rcx), by: 4, wide: false)
        assembler.arithmetic(.and, .register(.rcx), Int32((layout.jumps.count - 1) << 5), wide: false)
        assembler.arithmetic(.add, .rcx, .memory(state(layout.jumps.entries)))
    }

    /// rcx = the entry of fetched pages for the guest address in rax.
    mutating func emitPageAddress() {
        assembler.copy(.rcx, .rax)
        assembler.shift(.right, .register(.rcx), by: 7, wide: false)
        assembler.arithmetic(.and, .register(.rcx), Int32((layout.jumps.pageCount - 1) << 5), wide: false)
        assembler.arithmetic(.add, .rcx, .memory(state(layout.jumps.pages)))
    }

    /// Goes on at the guest address in rax by the jump cache's entry at rcx + `offset`.
    mutating func followEntry(offset: Int32 = 0) {
        assembler.arithmetic(
            .cmp, to: .memory(Address(.rcx, offset + Int32(StateLayout.JumpLayout.addressOffset))), .rax)
        assembler.jump(.notEqual, to: shared.lookUpAgain)
        assembler.move(.rdx, .memory(state(layout.jumps.tag)))
        assembler.arithmetic(.cmp, to: .memory(Address(.rcx, offset + Int32(StateLayout.JumpLayout.tagOffset))), .rdx)
        assembler.jump(.notEqual, to: shared.lookUpAgain)
        assembler.jump(.memory(Address(.rcx, offset + Int32(StateLayout.JumpLayout.codeOffset))))
    }

    /// A piece that goes on at the guest address in rax by the second level of the jump cache, whose entry becomes one of the first. Without
    /// it, the processor leaves for the run loop. All slots are where baseline code has them.
    mutating func makeSecondLookup() -> Int {
        guard let second = layout.jumps.second else { return shared.exitJump }
        typealias Layout = StateLayout.JumpLayout
        let start = assembler.position
        // The guest-physical page.
        emitPageAddress()
        assembler.move(.rdx, .memory(state(layout.jumps.tag)))
        assembler.arithmetic(.cmp, to: .memory(Address(.rcx, Int32(Layout.pageTagOffset))), .rdx)
        assembler.jump(.notEqual, to: shared.exitJump)
        assembler.copy(.rdx, .rax)
        assembler.arithmetic(.and, .register(.rdx), -4096)
        assembler.arithmetic(.cmp, to: .memory(Address(.rcx, Int32(Layout.virtualOffset))), .rdx)
        assembler.jump(.notEqual, to: shared.exitJump)
        assembler.move(.rcx, .memory(Address(.rcx, Int32(Layout.physicalOffset))))

        // rcx = the guest-physical address, rsi = its entry.
        assembler.push(.rsi)
        assembler.copy(.rsi, .rax)
        assembler.arithmetic(.and, .register(.rsi), 4095, wide: false)
        assembler.arithmetic(.or, .rcx, .register(.rsi))
        assembler.copy(.rsi, .rcx)
        assembler.shift(.right, .register(.rsi), by: second.hashShift)
        assembler.arithmetic(.xor, .rsi, .register(.rcx))
        assembler.shift(.right, .register(.rsi), by: second.lowBit)
        assembler.arithmetic(.and, .register(.rsi), Int32(second.count - 1), wide: false)
        assembler.shift(.left, .register(.rsi), by: UInt8(Layout.SecondLevel.entrySize.trailingZeroBitCount))
        assembler.arithmetic(.add, .rsi, .memory(state(second.entries)))
        assembler.arithmetic(.cmp, to: .memory(Address(.rsi, Int32(Layout.SecondLevel.addressOffset))), .rcx)
        let other = assembler.jump(.notEqual)
        assembler.move(.rcx, .memory(state(second.generation)))
        assembler.arithmetic(.cmp, to: .memory(Address(.rsi, Int32(Layout.SecondLevel.generationOffset))), .rcx)
        let isOld = assembler.jump(.notEqual)
        assembler.arithmetic(.cmp, to: .memory(Address(.rsi, Int32(Layout.SecondLevel.pageOffset))), .rdx)
        let isForPage = assembler.jump(.equal)
        assembler.arithmetic(.cmp, .memory(Address(.rsi, Int32(Layout.SecondLevel.pageOffset))), second.anyPage)
        let isForOther = assembler.jump(.notEqual)
        assembler.linkHere(isForPage)

        assembler.move(.rsi, .memory(Address(.rsi, Int32(Layout.SecondLevel.codeOffset))))
        emitEntryAddress()
        assembler.store(Address(.rcx, Int32(Layout.addressOffset)), .rax, bytes: 8)
        assembler.move(.rdx, .memory(state(layout.jumps.tag)))
        assembler.store(Address(.rcx, Int32(Layout.tagOffset)), .rdx, bytes: 8)
        assembler.store(Address(.rcx, Int32(Layout.recordOffset)), .rsi, bytes: 8)
        // Behind a `HelperRecord`.
        assembler.move(.rdx, .memory(Address(.rsi, 24)))
        assembler.store(Address(.rcx, Int32(Layout.codeOffset)), .rdx, bytes: 8)
        assembler.pop(.rsi)
        assembler.jump(.register(.rdx))

        for site in [other, isOld, isForOther] { assembler.linkHere(site) }
        assembler.pop(.rsi)
        assembler.jump(to: shared.exitJump)
        return start
    }
}
