internal import Translator

// The pieces that find a page which the inline check of an access did not find.
extension Generator {
    mutating func makeSecondLevel(tag: Int32) -> Int {
        let memory = layout.memory
        let bits = UInt8(memory.secondCount.trailingZeroBitCount)
        let start = assembler.position
        assembler.copy(.rax, .rcx)
        assembler.shift(.right, .register(.rax), by: 12)
        assembler.multiply(.rax, .register(.rax), by: Int32(bitPattern: memory.secondFactor), wide: false)
        // The entry's number is in the upper bits; entries are 32 bytes.
        assembler.shift(.right, .register(.rax), by: 32 - bits, wide: false)
        assembler.shift(.left, .register(.rax), by: 5, wide: false)
        // When the last byte lies in the next page, its page has another entry, so this one cannot be equal.
        assembler.loadAddress(.rdx, Address(.rcx, index: .rdx, -1))
        assembler.arithmetic(.and, .register(.rdx), ~0xFFF)
        assembler.arithmetic(.or, .rdx, .memory(state(memory.generation)))
        assembler.arithmetic(.add, .rax, .memory(state(memory.secondEntries)))
        assembler.arithmetic(.cmp, .rdx, .memory(Address(.rax, tag)))
        let unknown = assembler.jump(.notEqual)
        emitPromotion(tag: tag)
        assembler.move(.rax, .memory(Address(.rax, Int32(StateLayout.TLBLayout.addend))))
        assembler.arithmetic(.cmp, .rax, .register(.rax))
        assembler.linkHere(unknown)
        assembler.ret()
        return start
    }

    /// Copies the second level's entry at rax to the first level, in the place of another page. A place that holds none stays so, because
    /// the TLB keeps a record of those that do; so does the first one, where an absent tag is not 0.
    ///
    /// rcx is an address in the page, and rdx the page with low bits; rdx is used.
    private mutating func emitPromotion(tag: Int32) {
        let addend = Int32(StateLayout.TLBLayout.addend)
        let other = Int32(StateLayout.TLBLayout.readTag + StateLayout.TLBLayout.writeTag) - tag
        assembler.push(.rsi)
        assembler.copy(.rsi, .rcx)
        assembler.shift(.right, .register(.rsi), by: 7)
        assembler.arithmetic(.and, .register(.rsi), Int32((layout.memory.count - 1) << 5), wide: false)
        let isFirst = assembler.jump(.equal)
        assembler.arithmetic(.add, .rsi, .memory(state(layout.memory.entries)))
        assembler.arithmetic(.cmp, .memory(Address(.rsi, addend)), 0)
        let isEmpty = assembler.jump(.equal)
        assembler.arithmetic(.and, .register(.rdx), -4096)
        assembler.store(Address(.rsi, tag), .rdx, bytes: 8)
        assembler.arithmetic(.cmp, .memory(Address(.rax, other)), 0)
        let isAllowed = assembler.jump(.notEqual)
        assembler.move(.rdx, value: 0)
        assembler.linkHere(isAllowed)
        assembler.store(Address(.rsi, other), .rdx, bytes: 8)
        assembler.move(.rdx, .memory(Address(.rax, addend)))
        assembler.store(Address(.rsi, addend), .rdx, bytes: 8)
        assembler.linkHere(isFirst)
        assembler.linkHere(isEmpty)
        assembler.pop(.rsi)
    }

    mutating func makeRenewRecent(tag: Int32) -> Int {
        let start = assembler.position
        assembler.push(.rax)
        assembler.push(.rdx)
        assembler.copy(.rax, .rcx)
        assembler.shift(.right, .register(.rax), by: 7)
        assembler.arithmetic(.and, .register(.rax), Int32((layout.memory.count - 1) << 5), wide: false)
        assembler.arithmetic(.add, .rax, .memory(state(layout.memory.entries)))
        assembler.copy(.rdx, .rcx)
        assembler.arithmetic(.sub, .rdx, .memory(Address(.rax, tag)))
        assembler.arithmetic(.cmp, .register(.rdx), 4095)
        let other = assembler.jump(.above)
        assembler.arithmetic(.add, .rdx, .memory(Address(.rsp)))
        assembler.arithmetic(.cmp, .register(.rdx), 4096)
        let crossing = assembler.jump(.above)
        assembler.move(.rdx, .memory(Address(.rsp, 8)))
        assembler.store(Address(.rsp), .rcx, bytes: 8)
        assembler.arithmetic(.and, .register(.rcx), -4096)
        assembler.store(Address(.rdx), .rcx, bytes: 8)
        assembler.move(.rax, .memory(Address(.rax, Int32(StateLayout.TLBLayout.addend))))
        assembler.store(Address(.rdx, 8), .rax, bytes: 8)
        assembler.store(state(layout.memory.recentUsed), value: 1)
        assembler.pop(.rcx)
        assembler.pop(.rdx)
        assembler.arithmetic(.cmp, .rax, .register(.rax))
        assembler.ret()
        assembler.linkHere(other)
        assembler.linkHere(crossing)
        assembler.loadAddress(.rsp, Address(.rsp, 16))
        assembler.ret()
        return start
    }

    mutating func makeLoad(_ type: MemoryType, slow: Int) -> Int {
        let start = assembler.position
        if isPaged {
            assembler.move(.rdx, value: UInt64(type.bytes))
            assembler.call(shared.secondLevelRead)
            let unknown = assembler.jump(.notEqual)
            assembler.extend(.rax, .memory(Address(.rax, index: .rcx)), bytes: type.bytes, signed: type.signed)
            assembler.ret()
            assembler.linkHere(unknown)
        }
        assembler.move(.rdx, value: UInt64(type.bytes))
        // The slow path's frame is as if a block had called it; what follows must not change the flags.
        assembler.loadAddress(.rsp, Address(.rsp, -8))
        assembler.call(slow)
        assembler.loadAddress(.rsp, Address(.rsp, 8))
        assembler.extend(.rax, .register(.rax), bytes: type.bytes, signed: type.signed)
        assembler.ret()
        return start
    }

    mutating func makeStore(bytes: Int, slow: Int) -> Int {
        let start = assembler.position
        if isPaged {
            assembler.push(.rdx)
            assembler.move(.rdx, value: UInt64(bytes))
            assembler.call(shared.secondLevelWrite)
            assembler.pop(.rdx)
            let unknown = assembler.jump(.notEqual)
            assembler.store(Address(.rax, index: .rcx), .rdx, bytes: bytes)
            assembler.ret()
            assembler.linkHere(unknown)
        }
        assembler.move(.rax, value: UInt64(bytes))
        assembler.jump(to: slow)
        return start
    }
}
