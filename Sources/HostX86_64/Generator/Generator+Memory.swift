internal import Translator

// Guest loads and stores: the TLB's entry is looked up inline, everything else is out of line.
extension Generator {
    /// Where an access finds its data: host addend + guest address.
    private struct Access {
        let host: Address
        /// Where the guest address is, when the TLB was asked for this access alone: then a miss goes to the slow path.
        let single: (place: GuestAddress, site: Int)?
    }

    /// Puts the guest address into a register that stays as it is until the access is done.
    mutating func guestAddress(_ base: Operand, _ displacement: Int32) -> Register {
        switch base {
        case .constant(let value):
            assembler.move(.rcx, value: value &+ UInt64(bitPattern: Int64(displacement)))
            return .rcx
        case .address(let value):
            load(.rcx, .address(value &+ UInt64(bitPattern: Int64(displacement))))
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

    /// Leaves the addend of the page at a guest address in `result`, provided that all of `bytes` lie in it. Returns the
    /// site of the jump for everything else. Uses rax and rdx.
    mutating func lookUp(_ address: Register, bytes: Int, store: Bool, into result: Register) -> Int {
        if case .flat(let base, let size) = layout.addressing {
            assembler.move(.rdx, .memory(state(size)))
            assembler.arithmetic(.sub, .register(.rdx), Int32(bytes))
            assembler.keepTogether(9)
            assembler.arithmetic(.cmp, address, .register(.rdx))
            let site = assembler.jump(.above)
            assembler.move(result, .memory(state(base)))
            return site
        }
        if features.contains(.bmi2) {
            assembler.rotateRight(.rax, .register(address), by: 7)
        } else {
            assembler.move(.rax, .register(address), wide: false)
            assembler.shift(.right, .register(.rax), by: 7, wide: false)
        }
        assembler.arithmetic(.and, .register(.rax), Int32((layout.memory.count - 1) << 5), wide: false)
        assembler.arithmetic(.add, .rax, .memory(state(layout.memory.entries)))
        assembler.copy(.rdx, address)
        assembler.arithmetic(
            .sub, .rdx,
            .memory(Address(.rax, Int32(store ? StateLayout.TLBLayout.writeTag : StateLayout.TLBLayout.readTag))))
        assembler.keepTogether(13)
        assembler.arithmetic(.cmp, .register(.rdx), Int32(4096 - bytes))
        let site = assembler.jump(.above)
        assembler.move(result, .memory(Address(.rax, Int32(StateLayout.TLBLayout.addend))))
        return site
    }

    /// Whether accesses can have a page in common.
    var isPaged: Bool {
        if case .pages = layout.addressing { true } else { false }
    }

    /// Finds an access's page, with others where that can be.
    private mutating func access(_ base: Operand, _ displacement: Int32, bytes: Int, store: Bool) -> Access {
        if isPaged, sharing.registerCount > 0, case .slot(let slot) = base,
            let group = group(slot, displacement..<displacement + Int32(bytes), store: store)
        {
            let register = materialize(base, in: .rcx)
            return Access(host: Address(group.register, index: register, displacement), single: nil)
        }
        if isPaged, let access = steadyAccess(base, displacement, bytes: bytes, store: store) { return access }
        let register = guestAddress(base, displacement)
        let site = lookUp(register, bytes: bytes, store: store, into: .rax)
        return Access(host: Address(.rax, index: register), single: (.register(register), site))
    }

    /// Finds an access's page where the last one by the same base was. That takes less than to ask the TLB, and the access need
    /// not wait for it.
    private mutating func steadyAccess(_ base: Operand, _ displacement: Int32, bytes: Int, store: Bool) -> Access? {
        guard case .slot(let slot) = base, let register = register(of: slot),
            let number = block?.steadyBases.first(where: { $0.slot == slot })?.number
        else { return nil }
        let recent = layout.memory.recent + (number * 2 + (store ? 1 : 0)) * 16
        assembler.loadAddress(.rdx, Address(register, displacement))
        // What is not aligned has low bits left, which no page has.
        assembler.arithmetic(.and, .register(.rdx), -4096 | Int32(bytes - 1))
        assembler.keepTogether(14)
        assembler.arithmetic(.cmp, .rdx, .memory(state(recent)))
        let site = assembler.jump(.notEqual)
        assembler.move(.rax, .memory(state(recent + 8)))
        return Access(
            host: Address(.rax, index: register, displacement),
            single: (.steady(register, displacement, recent: recent), site))
    }

    /// The group that an access belongs to, begun here if it is the first.
    private mutating func group(_ base: Slot, _ range: Range<Int32>, store: Bool) -> PageSharing.Group? {
        if let group = sharing.find(base, range, store: store) { return group }
        guard let block, let span = PageSharing.span(of: block.steps[stepIndex...], base: base) else { return nil }
        let group = sharing.begin(base, span.range, store: span.store)
        let retry = assembler.position
        let first = guestAddress(.slot(base), span.range.lowerBound)
        let site = lookUp(first, bytes: span.range.count, store: span.store, into: group.register)
        stubs.append(.sharedPage(site: site, group, retry: retry, resume: assembler.position, context))
        return group
    }

    mutating func emitLoad(_ type: MemoryType, _ slot: Slot?, _ base: Operand, _ displacement: Int32) {
        guard let slot else {
            // Only a fault counts; the host's memory need not be touched.
            let address = guestAddress(base, displacement)
            let site = lookUp(address, bytes: type.bytes, store: false, into: .rax)
            return appendLoad((.register(address), site), type, .nowhere)
        }
        let access = access(base, displacement, bytes: type.bytes, store: false)
        if let vector = assignment.vector(of: slot), type.bytes == 8 {
            assembler.loadFloat(.double, vector, .memory(access.host))
            return appendLoad(access.single, type, .float(vector))
        }
        let register = target(slot)
        assembler.extend(register, .memory(access.host), bytes: type.bytes, signed: type.signed)
        appendLoad(access.single, type, .integer(register))
        if self.register(of: slot) == nil { write(slot, from: register) }
    }

    private mutating func appendLoad(
        _ single: (place: GuestAddress, site: Int)?, _ type: MemoryType, _ finish: LoadFinish
    ) {
        guard let single else { return }
        stubs.append(
            .load(
                site: single.site, type, single.place, finish: finish, resume: assembler.position, context)
        )
    }

    mutating func emitLoadSingle(_ slot: Slot, _ base: Operand, _ displacement: Int32) {
        let type = MemoryType(bytes: 4)
        let access = access(base, displacement, bytes: 4, store: false)
        assembler.move(.rax, .memory(access.host), wide: false)
        appendLoad(access.single, type, .accumulator)
        assembler.move(.xmm0, from: .rax)
        write(.single, slot)
    }

    mutating func emitStore(_ type: MemoryType, _ base: Operand, _ value: Operand, _ displacement: Int32) {
        let access = access(base, displacement, bytes: type.bytes, store: true)
        if case .slot(let slot) = value, let vector = assignment.vector(of: slot), type.bytes >= 4 {
            assembler.storeFloat(type.bytes == 8 ? .double : .single, access.host, vector)
        } else {
            let register = materialize(value, in: .rdx)
            assembler.store(access.host, register, bytes: type.bytes)
        }
        guard let single = access.single else { return }
        stubs.append(
            .store(
                site: single.site, bytes: type.bytes, single.place, value: value,
                resume: assembler.position, context))
    }
}
