internal import Translator

// Flags as values, and narrow results.
extension Generator {
    mutating func emitFlags(
        _ operation: FlagOperation, _ width: FlagWidth, _ slot: Slot, _ a: Operand, _ b: Operand
    ) {
        // At the upper end of 64 bits, narrower operands carry and overflow as they do in their own width.
        let shift = 64 - width.rawValue
        load(.rax, a)
        if shift != 0 { assembler.shift(.left, .register(.rax), by: shift) }
        if operation == .logic {
            assembler.test(.rax, .rax)
        } else {
            load(.rcx, b)
            if shift != 0 { assembler.shift(.left, .register(.rcx), by: shift) }
            assembler.arithmetic(operation == .add ? .add : .cmp, .rax, .register(.rcx))
        }
        // Neither these moves nor LEA change the host's flags.
        assembler.set(.below, .rdx)
        assembler.extend(.rdx, .register(.rdx), bytes: 1, signed: false)
        for (scale, condition) in [(1, .equal), (2, .sign), (3, .overflow)] as [(UInt8, HostCondition)] {
            assembler.set(condition, .rax)
            assembler.extend(.rax, .register(.rax), bytes: 1, signed: false)
            assembler.loadAddress(.rdx, Address(.rdx, index: .rax, scale: scale))
        }
        write(slot, from: .rdx)
    }

    /// Tests a condition on flags. Returns the host's condition that holds then.
    mutating func test(_ condition: FlagCondition, _ flags: Operand) -> HostCondition {
        load(.rax, flags)
        switch condition {
        case .zero, .notZero: mask(FlagBits.zero)
        case .carry, .notCarry: mask(FlagBits.carry)
        case .negative, .notNegative: mask(FlagBits.negative)
        case .overflow, .notOverflow: mask(FlagBits.overflow)
        case .lessOrEqualUnsigned, .greaterUnsigned: mask(FlagBits.carry | FlagBits.zero)
        case .lessSigned, .greaterOrEqualSigned:
            compareSignWithOverflow()
            mask(FlagBits.negative)
        case .lessOrEqualSigned, .greaterSigned:
            compareSignWithOverflow()
            mask(FlagBits.negative | FlagBits.zero)
        }
        return condition.isNegated ? .equal : .notEqual
    }

    private mutating func mask(_ bits: UInt64) {
        assembler.arithmetic(.and, .register(.rax), Int32(bits), wide: false)
    }

    /// The flag of negative results in rax becomes its difference from that of overflow.
    private mutating func compareSignWithOverflow() {
        assembler.copy(.rcx, .rax)
        assembler.shift(.right, .register(.rcx), by: 1, wide: false)
        assembler.arithmetic(.and, .register(.rcx), Int32(FlagBits.negative), wide: false)
        assembler.arithmetic(.xor, .rax, .register(.rcx), wide: false)
    }

    mutating func emitSet(_ condition: FlagCondition, _ slot: Slot, _ flags: Operand) {
        assembler.set(test(condition, flags), .rax)
        let target = target(slot)
        assembler.extend(target, .register(.rax), bytes: 1, signed: false)
        write(slot, from: target)
    }

    mutating func emitInsert(bytes: Int, _ slot: Slot, _ a: Operand) {
        load(.rcx, a)
        assembler.extend(.rcx, .register(.rcx), bytes: bytes, signed: false)
        load(.rax, .slot(slot))
        assembler.arithmetic(.and, .register(.rax), bytes == 1 ? -0x100 : -0x1_0000)
        assembler.arithmetic(.or, .rax, .register(.rcx))
        write(slot, from: .rax)
    }

    mutating func emitExpect(_ condition: Condition, _ a: Operand, _ b: Operand) {
        let found = compare(condition, a, b)
        let holds = assembler.jump(found)
        stubs.append(.interpret(site: assembler.jump(), context))
        assembler.linkHere(holds)
    }
}

extension FlagCondition {
    /// The condition holds where the bits that it looks at are clear.
    fileprivate var isNegated: Bool {
        switch self {
        case .notZero, .notCarry, .notNegative, .notOverflow, .greaterOrEqualSigned, .greaterSigned, .greaterUnsigned:
            true
        case .zero, .carry, .negative, .overflow, .lessSigned, .lessOrEqualSigned, .lessOrEqualUnsigned: false
        }
    }
}
