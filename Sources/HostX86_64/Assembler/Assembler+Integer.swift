/// Two-operand arithmetic that shares one encoding scheme, with its number in it.
package enum Arithmetic: UInt8, Sendable {
    case add = 0
    case or = 1
    case and = 4
    case sub = 5
    case xor = 6
    case cmp = 7
}

/// Shifts and rotations, with the number that stands in ModRM.
package enum Shift: UInt8, Sendable {
    case rotateLeft = 0
    case rotateRight = 1
    case left = 4
    case right = 5
    case arithmeticRight = 7
}

/// One-operand instructions of opcode F7, with the number that stands in ModRM.
package enum Unary: UInt8, Sendable {
    case not = 2
    case negate = 3
    /// rdx:rax = rax × operand
    case multiply = 4
    case multiplySigned = 5
    /// rax, rdx = quotient, remainder of rdx:rax
    case divide = 6
    case divideSigned = 7
}

// Integer instructions. `wide` selects 64-bit operands; otherwise they have 32 bits, and a register's upper half is cleared.
extension Assembler {
    package mutating func arithmetic(_ kind: Arithmetic, _ register: Register, _ place: Place, wide: Bool = true) {
        encode(UInt32(kind.rawValue << 3 | 3), register.rawValue, place, wide: wide)
    }

    package mutating func arithmetic(_ kind: Arithmetic, to place: Place, _ register: Register, wide: Bool = true) {
        encode(UInt32(kind.rawValue << 3 | 1), register.rawValue, place, wide: wide)
    }

    package mutating func arithmetic(_ kind: Arithmetic, _ place: Place, _ value: Int32, wide: Bool = true) {
        if let short = Int8(exactly: value) {
            encode(0x83, kind.rawValue, place, wide: wide)
            byte(UInt8(bitPattern: short))
        } else {
            encode(0x81, kind.rawValue, place, wide: wide)
            word32(UInt32(bitPattern: value))
        }
    }

    /// SUB with a constant of 32 bits, whatever its value: seven bytes.
    mutating func subtractLong(_ register: Register, _ value: Int32) {
        encode(0x81, Arithmetic.sub.rawValue, .register(register), wide: true)
        word32(UInt32(bitPattern: value))
    }

    package mutating func test(_ register: Register, _ other: Register, wide: Bool = true) {
        encode(0x85, other.rawValue, .register(register), wide: wide)
    }

    /// TEST of a register's low byte with a constant.
    package mutating func testLowBits(_ register: Register, _ mask: UInt8) {
        encode(0xF6, 0, .register(register), wide: false, byteRegister: true)
        byte(mask)
    }

    package mutating func unary(_ kind: Unary, _ place: Place, wide: Bool = true) {
        encode(0xF7, kind.rawValue, place, wide: wide)
    }

    package mutating func shift(_ kind: Shift, _ place: Place, by count: UInt8, wide: Bool = true) {
        encode(0xC1, kind.rawValue, place, wide: wide)
        byte(count)
    }

    /// Shifts by cl, modulo the width.
    package mutating func shiftByCL(_ kind: Shift, _ place: Place, wide: Bool = true) {
        encode(0xD3, kind.rawValue, place, wide: wide)
    }

    /// SHLX, SHRX, SARX: `register` = `place` shifted by `count` modulo the width. For the three shifts only.
    package mutating func shiftExtended(
        _ kind: Shift, _ register: Register, _ place: Place, by count: Register, wide: Bool = true
    ) {
        let prefix: UInt8 = kind == .left ? 1 : kind == .right ? 3 : 2
        encodeVEX(map: 2, prefix: prefix, 0xF7, register.rawValue, count.rawValue, place, wide: wide)
    }

    /// RORX: `register` = `place` rotated; flags stay as they are.
    package mutating func rotateRight(_ register: Register, _ place: Place, by count: UInt8, wide: Bool = true) {
        encodeVEX(map: 3, prefix: 3, 0xF0, register.rawValue, 0, place, wide: wide)
        byte(count)
    }

    package mutating func multiply(_ register: Register, _ place: Place, wide: Bool = true) {
        encode(0xAF0F, register.rawValue, place, wide: wide)
    }

    package mutating func multiply(_ register: Register, _ place: Place, by value: Int32, wide: Bool = true) {
        encode(0x69, register.rawValue, place, wide: wide)
        word32(UInt32(bitPattern: value))
    }

    /// Sign-extends rax into rdx.
    package mutating func signExtendAccumulator(wide: Bool = true) {
        if wide { byte(0x48) }
        byte(0x99)
    }

    package mutating func loadAddress(_ register: Register, _ address: Address, wide: Bool = true) {
        encode(0x8D, register.rawValue, .memory(address), wide: wide)
    }

    // MARK: Moves

    package mutating func move(_ register: Register, _ place: Place, wide: Bool = true) {
        encode(0x8B, register.rawValue, place, wide: wide)
    }

    /// A move between registers that vanishes when they are the same one.
    package mutating func copy(_ register: Register, _ source: Register) {
        if register != source { move(register, .register(source)) }
    }

    package mutating func store(_ address: Address, _ register: Register, bytes: Int) {
        switch bytes {
        case 1: encode(0x88, register.rawValue, .memory(address), wide: false, byteRegister: true)
        case 2: encode(prefix: 0x66, 0x89, register.rawValue, .memory(address), wide: false)
        default: encode(0x89, register.rawValue, .memory(address), wide: bytes == 8)
        }
    }

    /// Stores a sign-extended constant of 64 bits.
    package mutating func store(_ address: Address, value: Int32) {
        encode(0xC7, 0, .memory(address), wide: true)
        word32(UInt32(bitPattern: value))
    }

    /// Loads a constant in the shortest form; flags stay as they are.
    package mutating func move(_ register: Register, value: UInt64) {
        if value >> 32 == 0 {
            if register.rawValue >= 8 { byte(0x41) }
            byte(0xB8 | register.rawValue & 7)
            word32(UInt32(truncatingIfNeeded: value))
        } else if let short = Int32(exactly: Int64(bitPattern: value)) {
            encode(0xC7, 0, .register(register), wide: true)
            word32(UInt32(bitPattern: short))
        } else {
            byte(register.rawValue >= 8 ? 0x49 : 0x48)
            byte(0xB8 | register.rawValue & 7)
            word64(value)
        }
    }

    /// Loads `bytes` (1, 2, 4 or 8) and extends them to 64 bits.
    package mutating func extend(_ register: Register, _ place: Place, bytes: Int, signed: Bool) {
        switch (bytes, signed) {
        case (1, true): encode(0xBE0F, register.rawValue, place, wide: true, byteRegister: true)
        case (1, false): encode(0xB60F, register.rawValue, place, wide: false, byteRegister: true)
        case (2, true): encode(0xBF0F, register.rawValue, place, wide: true)
        case (2, false): encode(0xB70F, register.rawValue, place, wide: false)
        case (4, true): encode(0x63, register.rawValue, place, wide: true)
        case (4, false): move(register, place, wide: false)
        default: move(register, place)
        }
    }

    package mutating func set(_ condition: HostCondition, _ register: Register) {
        encode(0x900F | UInt32(condition.rawValue) << 8, 0, .register(register), wide: false, byteRegister: true)
    }

    package mutating func moveIf(_ condition: HostCondition, _ register: Register, _ place: Place) {
        encode(0x400F | UInt32(condition.rawValue) << 8, register.rawValue, place, wide: true)
    }

    // MARK: Bits

    package mutating func swapBytes(_ register: Register) {
        byte(register.rawValue >= 8 ? 0x49 : 0x48)
        byte(0x0F)
        byte(0xC8 | register.rawValue & 7)
    }

    package mutating func countOnes(_ register: Register, _ place: Place, wide: Bool) {
        encode(prefix: 0xF3, 0xB80F, register.rawValue, place, wide: wide)
    }

    package mutating func countLeadingZeros(_ register: Register, _ place: Place, wide: Bool) {
        encode(prefix: 0xF3, 0xBD0F, register.rawValue, place, wide: wide)
    }

    package mutating func countTrailingZeros(_ register: Register, _ place: Place, wide: Bool) {
        encode(prefix: 0xF3, 0xBC0F, register.rawValue, place, wide: wide)
    }

    // MARK: Atomics and order

    /// Changes memory atomically.
    package mutating func lockedArithmetic(_ kind: Arithmetic, _ address: Address, _ register: Register, wide: Bool) {
        byte(0xF0)
        arithmetic(kind, to: .memory(address), register, wide: wide)
    }

    /// Exchanges register and memory atomically.
    package mutating func exchange(_ address: Address, _ register: Register, wide: Bool) {
        encode(0x87, register.rawValue, .memory(address), wide: wide)
    }

    /// Adds the register to memory atomically; the register gets what was there.
    package mutating func exchangeAdd(_ address: Address, _ register: Register, wide: Bool) {
        byte(0xF0)
        encode(0xC10F, register.rawValue, .memory(address), wide: wide)
    }

    /// Stores the register where memory equals rax, atomically; rax gets what was there.
    package mutating func compareExchange(_ address: Address, _ register: Register, wide: Bool) {
        byte(0xF0)
        encode(0xB10F, register.rawValue, .memory(address), wide: wide)
    }

    /// A full barrier: a locked read-modify-write of the stack, cheaper than MFENCE.
    package mutating func barrier() {
        byte(0xF0)
        arithmetic(.or, .memory(Address(.rsp)), 0, wide: false)
    }
}
