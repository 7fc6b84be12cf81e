// Guest loads and stores: the TLB's entry is looked up inline, everything else is out of line.
extension Generator {
    /// Puts the guest address into a register that stays as it is until the access is done.
    private mutating func guestAddress(_ base: Operand, _ displacement: Int32) -> Register {
        switch base {
        case .constant(let value):
            assembler.move(.rcx, value: value &+ UInt64(bitPattern: Int64(displacement)))
            return .rcx
        case .slot(let slot):
            if let register = register(of: slot) {
                if displacement == 0 { return register }
                assembler.loadAddress(.rcx, Address(register, displacement))
            } else {
                load(.rcx, base)
                if displacement != 0 { assembler.arithmetic(.add, .register(.rcx), displacement) }
            }
            return .rcx
        }
    }

    /// rax = the addend of the TLB's entry for an access. Returns the site of the jump to the slow path. Uses rdx.
    private mutating func lookUp(_ address: Register, bytes: Int, store: Bool) -> Int {
        assembler.move(.rax, .register(address), wide: false)
        assembler.shift(.right, .register(.rax), by: 7, wide: false)
        assembler.arithmetic(.and, .register(.rax), Int32((layout.memory.count - 1) << 5), wide: false)
        assembler.arithmetic(.add, .rax, .memory(state(layout.memory.entries)))
        assembler.move(.rdx, .register(address))
        // The low bits of a misaligned address stay, and no tag has any.
        assembler.arithmetic(.and, .register(.rdx), ~0xFFF | Int32(bytes - 1))
        assembler.arithmetic(.cmp, to: .memory(Address(.rax, store ? 8 : 0)), .rdx)
        let site = assembler.jump(.notEqual)
        assembler.move(.rax, .memory(Address(.rax, 16)))
        return site
    }

    mutating func emitLoad(_ type: MemoryType, _ slot: Slot?, _ base: Operand, _ displacement: Int32) {
        let address = guestAddress(base, displacement)
        let site = lookUp(address, bytes: type.bytes, store: false)
        guard let slot else {
            // Only a fault counts; the host's memory need not be touched.
            stubs.append(
                .load(
                    site: site, type, register: address, finish: .nowhere, resume: assembler.position, context))
            return
        }
        let register = target(slot)
        assembler.extend(
            register, .memory(Address(.rax, index: address)), bytes: type.bytes, signed: type.signed)
        stubs.append(
            .load(
                site: site, type, register: address, finish: .integer(register), resume: assembler.position, context))
        if self.register(of: slot) == nil { write(slot, from: register) }
    }

    mutating func emitLoadSingle(_ slot: Slot, _ base: Operand, _ displacement: Int32) {
        let type = MemoryType(bytes: 4)
        let address = guestAddress(base, displacement)
        let site = lookUp(address, bytes: 4, store: false)
        assembler.move(.rax, .memory(Address(.rax, index: address)), wide: false)
        stubs.append(
            .load(
                site: site, type, register: address, finish: .accumulator, resume: assembler.position, context))
        assembler.store(self.address(of: slot), .rax, bytes: 4)
        box(slot)
    }

    mutating func emitStore(_ type: MemoryType, _ base: Operand, _ value: Operand, _ displacement: Int32) {
        let address = guestAddress(base, displacement)
        let site = lookUp(address, bytes: type.bytes, store: true)
        let register = materialize(value, in: .rdx)
        assembler.store(Address(.rax, index: address), register, bytes: type.bytes)
        stubs.append(
            .store(
                site: site, bytes: type.bytes, register: address, value: value, resume: assembler.position, context))
    }
}
