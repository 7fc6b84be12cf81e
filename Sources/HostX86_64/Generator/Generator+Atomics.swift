internal import Translator

// Atomics are those of the host, on memory that the TLB knows. x86-64 orders them more than any guest asks for.
extension Generator {
    mutating func emit(
        _ operation: AtomicOperation, wide: Bool, _ slot: Slot?, _ base: Operand, _ value: Operand,
        _ record: HelperRecord
    ) {
        let bytes = wide ? 8 : 4
        let address = guestAddress(base, 0)
        assembler.testLowBits(address, UInt8(bytes - 1))
        var sites = [assembler.jump(.notEqual)]
        sites.append(lookUp(address, bytes: bytes, store: operation != .loadReserved, into: .rax))
        assembler.loadAddress(.rcx, Address(.rax, index: address))
        // The host address stays in rcx, and the result is made in rax.
        switch operation {
        case .swap:
            load(.rax, value)
            assembler.exchange(Address(.rcx), .rax, wide: wide)
        case .add:
            load(.rax, value)
            assembler.exchangeAdd(Address(.rcx), .rax, wide: wide)
        case .and: emitLogic(.and, wide: wide, slot, value)
        case .or: emitLogic(.or, wide: wide, slot, value)
        case .xor: emitLogic(.xor, wide: wide, slot, value)
        case .loadReserved: emitLoadReserved(bytes: bytes)
        case .storeConditional: emitStoreConditional(bytes: bytes, value)
        }
        if let slot {
            let target = target(slot)
            assembler.extend(target, .register(.rax), bytes: bytes, signed: true)
            write(slot, from: target)
        }
        stubs.append(.helper(sites: sites, record, resume: assembler.position, context))
    }

    private mutating func emitLogic(_ kind: Arithmetic, wide: Bool, _ slot: Slot?, _ value: Operand) {
        guard slot != nil else {
            load(.rax, value)
            return assembler.lockedArithmetic(kind, Address(.rcx), .rax, wide: wide)
        }
        assembler.move(.rax, .memory(Address(.rcx)), wide: wide)
        let again = assembler.position
        load(.rdx, value)
        assembler.arithmetic(kind, .rdx, .register(.rax), wide: wide)
        assembler.compareExchange(Address(.rcx), .rdx, wide: wide)
        assembler.jump(.notEqual, to: again)
    }

    private mutating func emitLoadReserved(bytes: Int) {
        assembler.move(.rax, .memory(Address(.rcx)), wide: bytes == 8)
        assembler.store(reservation(0), .rcx, bytes: 8)
        assembler.store(reservation(8), value: Int32(bytes))
        assembler.store(reservation(16), .rax, bytes: 8)
    }

    private mutating func emitStoreConditional(bytes: Int, _ value: Operand) {
        // What is not reserved is compared with nothing: equal after the exchange, or not equal.
        assembler.arithmetic(.cmp, .rcx, .memory(reservation(0)))
        let elsewhere = assembler.jump(.notEqual)
        assembler.arithmetic(.cmp, .memory(reservation(8)), Int32(bytes))
        let otherSize = assembler.jump(.notEqual)
        load(.rdx, value)
        assembler.move(.rax, .memory(reservation(16)))
        assembler.compareExchange(Address(.rcx), .rdx, wide: bytes == 8)
        assembler.linkHere(elsewhere)
        assembler.linkHere(otherSize)
        assembler.set(.notEqual, .rax)
        assembler.extend(.rax, .register(.rax), bytes: 1, signed: false)
        assembler.store(reservation(0), value: 0)
    }

    private func reservation(_ offset: Int) -> Address { state(layout.reservation + offset) }
}
