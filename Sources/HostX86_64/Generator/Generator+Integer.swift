internal import Translator

// Integer operations. A result is computed in its slot's register where that is not an operand still needed, else in rax.
extension Generator {
    mutating func emit(
        _ operation: BinaryOperation, _ width: Width, _ slot: Slot, _ a: Operand, _ b: Operand
    ) {
        switch operation {
        case .add where emitAddConstant(width, slot, a, b): break
        case .add: emitArithmetic(.add, width, slot, a, b, commutes: true)
        case .subtract: emitArithmetic(.sub, width, slot, a, b, commutes: false)
        case .and: emitArithmetic(.and, width, slot, a, b, commutes: true)
        case .or: emitArithmetic(.or, width, slot, a, b, commutes: true)
        case .xor: emitArithmetic(.xor, width, slot, a, b, commutes: true)
        case .andNot: emitComplemented(.and, width, slot, a, b)
        case .orNot: emitComplemented(.or, width, slot, a, b)
        case .xorNot: emitComplemented(.xor, width, slot, a, b)
        case .shiftLeft: emitShift(.left, width, slot, a, b)
        case .shiftRight: emitShift(.right, width, slot, a, b)
        case .shiftRightArithmetic: emitShift(.arithmeticRight, width, slot, a, b)
        case .rotateLeft: emitShift(.rotateLeft, width, slot, a, b)
        case .rotateRight: emitShift(.rotateRight, width, slot, a, b)
        case .multiply: emitMultiply(width, slot, a, b)
        case .multiplyHighSigned, .multiplyHighUnsigned, .multiplyHighSignedUnsigned:
            emitMultiplyHigh(operation, slot, a, b)
        case .divideSigned, .remainderSigned:
            emitDivision(width, slot, a, b, signed: true, remainder: operation == .remainderSigned)
        case .divideUnsigned, .remainderUnsigned:
            emitDivision(width, slot, a, b, signed: false, remainder: operation == .remainderUnsigned)
        case .minimumSigned: emitChoice(.less, slot, a, b)
        case .minimumUnsigned: emitChoice(.below, slot, a, b)
        case .maximumSigned: emitChoice(.greater, slot, a, b)
        case .maximumUnsigned: emitChoice(.above, slot, a, b)
        case .addShifted1: emitAddShifted(1, slot, a, b)
        case .addShifted2: emitAddShifted(2, slot, a, b)
        case .addShifted3: emitAddShifted(3, slot, a, b)
        case .zeroIfZero, .zeroIfNotZero: emitConditionalZero(operation, slot, a, b)
        }
    }

    /// Extends a 32-bit result and brings it to its slot.
    private mutating func finish(_ width: Width, _ slot: Slot, _ register: Register) {
        guard !width.isWide else { return write(slot, from: register) }
        let target = target(slot)
        assembler.extend(target, .register(register), bytes: 4, signed: width == .bits32)
        write(slot, from: target)
    }

    /// Sums with a constant that fits an instruction: LEA, ADD, or an addition to memory.
    private mutating func emitAddConstant(_ width: Width, _ slot: Slot, _ a: Operand, _ b: Operand) -> Bool {
        let (value, other) = a.constant != nil ? (a.constant, b) : (b.constant, a)
        guard let value, case .slot(let source) = other, let short = Int32(exactly: Int64(bitPattern: value)) else {
            return false
        }
        let target = target(slot)
        if !width.isWide {
            if short == 0 {
                assembler.extend(target, place(source), bytes: 4, signed: width == .bits32)
                write(slot, from: target)
                return true
            }
            if let register = register(of: source) {
                assembler.loadAddress(target, Address(register, short), wide: false)
            } else {
                load(target, other)
                assembler.arithmetic(.add, .register(target), short, wide: false)
            }
            finish(width, slot, target)
        } else if source == slot {
            if short != 0 { assembler.arithmetic(.add, place(slot), short) }
        } else {
            if let register = register(of: source), short != 0 {
                assembler.loadAddress(target, Address(register, short))
            } else {
                load(target, other)
                if short != 0 { assembler.arithmetic(.add, .register(target), short) }
            }
            write(slot, from: target)
        }
        return true
    }

    private mutating func emitArithmetic(
        _ kind: Arithmetic, _ width: Width, _ slot: Slot, _ a: Operand, _ b: Operand, commutes: Bool
    ) {
        var (a, b) = (a, b)
        if commutes, a.constant != nil || b == .slot(slot) { swap(&a, &b) }
        var target = target(slot)
        // The second operand would be lost.
        if b == .slot(slot), a != b, register(of: slot) != nil { target = .rax }
        if let value = b.constant, let short = Int32(exactly: Int64(bitPattern: value)) {
            if width == .bits64, a == .slot(slot) {
                assembler.arithmetic(kind, place(slot), short)
                return
            }
            load(target, a)
            assembler.arithmetic(kind, .register(target), short, wide: width.isWide)
        } else if kind == .add, width == .bits64, case .slot(let x) = a, case .slot(let y) = b, x != slot,
            let first = register(of: x), let second = register(of: y)
        {
            assembler.loadAddress(target, Address(first, index: second))
        } else {
            let second = readable(b, scratch: .rcx)
            load(target, a)
            assembler.arithmetic(kind, target, second, wide: width.isWide)
        }
        finish(width, slot, target)
    }

    /// kind(a, ~b)
    private mutating func emitComplemented(
        _ kind: Arithmetic, _ width: Width, _ slot: Slot, _ a: Operand, _ b: Operand
    ) {
        load(.rax, b)
        assembler.unary(.not, .register(.rax))
        assembler.arithmetic(kind, .rax, readable(a, scratch: .rcx))
        finish(width, slot, .rax)
    }

    private mutating func emitShift(_ kind: Shift, _ width: Width, _ slot: Slot, _ a: Operand, _ b: Operand) {
        if let value = b.constant {
            let count = UInt8(value & (width.isWide ? 63 : 31))
            let target = target(slot)
            load(target, a)
            if count != 0 { assembler.shift(kind, .register(target), by: count, wide: width.isWide) }
            // A logical shift to the right leaves a positive number, which is extended already.
            if !width.isWide, kind == .right, count != 0 { return write(slot, from: target) }
            return finish(width, slot, target)
        }
        if features.contains(.bmi2), kind == .left || kind == .right || kind == .arithmeticRight {
            let count = materialize(b, in: .rcx)
            let target = target(slot)
            let source = readable(a, scratch: .rax)
            assembler.shiftExtended(kind, target, source, by: count, wide: width.isWide)
            return finish(width, slot, target)
        }
        load(.rcx, b)
        load(.rax, a)
        assembler.shiftByCL(kind, .register(.rax), wide: width.isWide)
        finish(width, slot, .rax)
    }

    private mutating func emitMultiply(_ width: Width, _ slot: Slot, _ a: Operand, _ b: Operand) {
        var (a, b) = (a, b)
        if a.constant != nil || b == .slot(slot) { swap(&a, &b) }
        if let value = b.constant, let short = Int32(exactly: Int64(bitPattern: value)) {
            let target = target(slot)
            assembler.multiply(target, readable(a, scratch: .rax), by: short, wide: width.isWide)
            return finish(width, slot, target)
        }
        let target = b == .slot(slot) && a != b ? .rax : target(slot)
        let second = readable(b, scratch: .rcx)
        load(target, a)
        assembler.multiply(target, second, wide: width.isWide)
        finish(width, slot, target)
    }

    private mutating func emitMultiplyHigh(_ operation: BinaryOperation, _ slot: Slot, _ a: Operand, _ b: Operand) {
        load(.rcx, b)
        load(.rax, a)
        assembler.unary(operation == .multiplyHighSigned ? .multiplySigned : .multiply, .register(.rcx))
        if operation == .multiplyHighSignedUnsigned {
            // A negative first operand counted 2^64 too much, times the second.
            load(.rax, a)
            assembler.shift(.arithmeticRight, .register(.rax), by: 63)
            assembler.arithmetic(.and, .rax, .register(.rcx))
            assembler.arithmetic(.sub, .rdx, .register(.rax))
        }
        write(slot, from: .rdx)
    }

    private mutating func emitDivision(
        _ width: Width, _ slot: Slot, _ a: Operand, _ b: Operand, signed: Bool, remainder: Bool
    ) {
        let wide = width.isWide
        load(.rcx, b)
        load(.rax, a)
        assembler.test(.rcx, .rcx, wide: wide)
        let byZero = assembler.jump(.equal)
        var ends: [Int] = []
        if signed {
            // The processor faults where the quotient overflows.
            assembler.arithmetic(.cmp, .register(.rcx), -1, wide: wide)
            let ordinary = assembler.jump(.notEqual)
            if remainder {
                assembler.arithmetic(.xor, .rax, .register(.rax))
            } else {
                assembler.unary(.negate, .register(.rax), wide: wide)
            }
            ends.append(assembler.jump())
            assembler.linkHere(ordinary)
            assembler.signExtendAccumulator(wide: wide)
        } else {
            assembler.arithmetic(.xor, .rdx, .register(.rdx), wide: false)
        }
        assembler.unary(signed ? .divideSigned : .divide, .register(.rcx), wide: wide)
        if remainder { assembler.copy(.rax, .rdx) }
        ends.append(assembler.jump())
        assembler.linkHere(byZero)
        // The remainder is the dividend, which is in rax already.
        if !remainder { assembler.move(.rax, value: .max) }
        for end in ends { assembler.linkHere(end) }
        finish(width, slot, .rax)
    }

    /// b where the condition holds of b and a, else a.
    private mutating func emitChoice(_ condition: HostCondition, _ slot: Slot, _ a: Operand, _ b: Operand) {
        load(.rcx, b)
        load(.rax, a)
        assembler.arithmetic(.cmp, .rcx, .register(.rax))
        // b replaces a where the condition holds of b and a.
        assembler.moveIf(condition, .rax, .register(.rcx))
        write(slot, from: .rax)
    }

    private mutating func emitAddShifted(_ scale: UInt8, _ slot: Slot, _ a: Operand, _ b: Operand) {
        let index = materialize(a, in: .rax)
        let base = materialize(b, in: .rcx)
        let target = target(slot)
        assembler.loadAddress(target, Address(base, index: index, scale: scale))
        write(slot, from: target)
    }

    private mutating func emitConditionalZero(_ operation: BinaryOperation, _ slot: Slot, _ a: Operand, _ b: Operand) {
        let tested = materialize(b, in: .rcx)
        load(.rax, a)
        assembler.move(.rdx, value: 0)
        assembler.test(tested, tested)
        assembler.moveIf(operation == .zeroIfZero ? .equal : .notEqual, .rax, .register(.rdx))
        write(slot, from: .rax)
    }

    // MARK: One operand

    mutating func emit(_ operation: UnaryOperation, _ width: Width, _ slot: Slot, _ a: Operand) {
        if operation == .copy { return emitCopy(slot, a) }
        let source = readable(a, scratch: .rcx)
        let target = target(slot)
        switch operation {
        case .copy: break
        case .signExtend8: assembler.extend(target, source, bytes: 1, signed: true)
        case .signExtend16: assembler.extend(target, source, bytes: 2, signed: true)
        case .signExtend32: assembler.extend(target, source, bytes: 4, signed: true)
        case .zeroExtend8: assembler.extend(target, source, bytes: 1, signed: false)
        case .zeroExtend16: assembler.extend(target, source, bytes: 2, signed: false)
        case .zeroExtend32: assembler.extend(target, source, bytes: 4, signed: false)
        case .countLeadingZeros: assembler.countLeadingZeros(target, source, wide: width.isWide)
        case .countTrailingZeros: assembler.countTrailingZeros(target, source, wide: width.isWide)
        case .countOnes: assembler.countOnes(target, source, wide: width.isWide)
        case .swapBytes:
            load(target, a)
            assembler.swapBytes(target)
        }
        write(slot, from: target)
    }

    private mutating func emitCopy(_ slot: Slot, _ a: Operand) {
        if register(of: slot) == nil, assignment.vector(of: slot) == nil, let value = a.constant,
            let short = Int32(exactly: Int64(bitPattern: value))
        {
            return assembler.store(address(of: slot), value: short)
        }
        if case .slot(let source) = a, let register = register(of: source) { return write(slot, from: register) }
        let target = target(slot)
        load(target, a)
        write(slot, from: target)
    }

    // MARK: Conditions

    /// Compares. Returns the host's condition that holds then.
    mutating func compare(_ condition: Condition, _ a: Operand, _ b: Operand) -> HostCondition {
        if a.constant != nil, b.constant == nil { return compare(condition.exchanged, b, a) }
        if let value = b.constant, let short = Int32(exactly: Int64(bitPattern: value)), case .slot(let slot) = a {
            if short == 0, let register = register(of: slot) {
                assembler.test(register, register)
            } else {
                assembler.arithmetic(.cmp, place(slot), short)
            }
        } else {
            let first = materialize(a, in: .rax)
            assembler.arithmetic(.cmp, first, readable(b, scratch: .rcx))
        }
        return condition.host
    }

    mutating func emitSet(_ condition: Condition, _ slot: Slot, _ a: Operand, _ b: Operand) {
        let found = compare(condition, a, b)
        assembler.set(found, .rax)
        let target = target(slot)
        assembler.extend(target, .register(.rax), bytes: 1, signed: false)
        write(slot, from: target)
    }
}

extension Condition {
    fileprivate var host: HostCondition {
        switch self {
        case .equal: .equal
        case .notEqual: .notEqual
        case .lessSigned: .less
        case .greaterOrEqualSigned: .greaterOrEqual
        case .lessUnsigned: .below
        case .greaterOrEqualUnsigned: .aboveOrEqual
        case .greaterSigned: .greater
        case .lessOrEqualSigned: .lessOrEqual
        case .greaterUnsigned: .above
        case .lessOrEqualUnsigned: .belowOrEqual
        }
    }
}
