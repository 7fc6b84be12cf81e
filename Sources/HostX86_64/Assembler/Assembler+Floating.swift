internal import Translator

/// SSE arithmetic with the opcode's last byte.
enum VectorArithmetic: UInt8 {
    case squareRoot = 0x51
    case add = 0x58
    case multiply = 0x59
    case subtract = 0x5C
    case divide = 0x5E
}

// Scalar SSE2 and FMA instructions on memory and xmm registers.
extension Assembler {
    private func prefix(_ format: FloatFormat) -> UInt8 { format == .double ? 0xF2 : 0xF3 }

    /// Loads a number from memory, or copies a whole register.
    mutating func loadFloat(_ format: FloatFormat, _ vector: Vector, _ source: VectorPlace) {
        switch source {
        case .vector(let other): copy(vector, other)
        case .memory: encode(prefix: prefix(format), 0x100F, vector.rawValue, source.place, wide: false)
        }
    }

    mutating func storeFloat(_ format: FloatFormat, _ address: Address, _ vector: Vector) {
        encode(prefix: prefix(format), 0x110F, vector.rawValue, .memory(address), wide: false)
    }

    /// A move of a whole register, which vanishes when source and destination are the same one.
    mutating func copy(_ vector: Vector, _ source: Vector) {
        if vector != source { encode(0x280F, vector.rawValue, VectorPlace.vector(source).place, wide: false) }
    }

    /// 64 bits from a general-purpose register; the upper half is cleared.
    mutating func move(_ vector: Vector, from register: Register) {
        encode(prefix: 0x66, 0x6E0F, vector.rawValue, .register(register), wide: true)
    }

    /// 32 or 64 bits to a general-purpose register or memory.
    mutating func move(_ place: Place, from vector: Vector, wide: Bool = true) {
        encode(prefix: 0x66, 0x7E0F, vector.rawValue, place, wide: wide)
    }

    mutating func arithmetic(_ kind: VectorArithmetic, _ format: FloatFormat, _ vector: Vector, _ source: VectorPlace) {
        encode(
            prefix: prefix(format), UInt32(kind.rawValue) << 8 | 0x0F, vector.rawValue, source.place, wide: false)
    }

    /// UCOMIS, or COMIS, which signals for every NaN.
    mutating func compareFloat(_ format: FloatFormat, _ vector: Vector, _ source: VectorPlace, signaling: Bool) {
        let opcode: UInt32 = signaling ? 0x2F0F : 0x2E0F
        encode(prefix: format == .double ? 0x66 : 0, opcode, vector.rawValue, source.place, wide: false)
    }

    /// Compares a register with itself: parity tells a NaN.
    mutating func testNaN(_ format: FloatFormat, _ vector: Vector) {
        compareFloat(format, vector, .vector(vector), signaling: false)
    }

    mutating func convertFromInteger(_ format: FloatFormat, _ vector: Vector, _ place: Place, wide: Bool) {
        encode(prefix: prefix(format), 0x2A0F, vector.rawValue, place, wide: wide)
    }

    mutating func convertToInteger(
        _ format: FloatFormat, _ register: Register, _ source: VectorPlace, wide: Bool, truncating: Bool
    ) {
        encode(
            prefix: prefix(format), truncating ? 0x2C0F : 0x2D0F, register.rawValue, source.place, wide: wide)
    }

    /// From `format` to the other one.
    mutating func convertFloat(from format: FloatFormat, _ vector: Vector, _ source: VectorPlace) {
        encode(prefix: prefix(format), 0x5A0F, vector.rawValue, source.place, wide: false)
    }

    /// The 213 forms: first = ±(second × first) ± third.
    mutating func multiplyAdd(
        _ kind: FloatFused, _ format: FloatFormat, _ first: Vector, _ second: Vector, _ third: VectorPlace
    ) {
        let opcode: UInt8 =
            switch kind {
            case .multiplyAdd: 0xA9
            case .multiplySubtract: 0xAB
            case .negatedMultiplyAdd: 0xAD
            case .negatedMultiplySubtract: 0xAF
            }
        encodeVEX(
            map: 2, prefix: 1, opcode, first.rawValue, second.rawValue, third.place, wide: format == .double)
    }

    mutating func xor(_ vector: Vector, _ source: Vector) {
        encode(0x570F, vector.rawValue, VectorPlace.vector(source).place, wide: false)
    }

    // The second operand is a constant of 16 bytes at a position of the code, aligned to 16.
    mutating func and(_ vector: Vector, position: Int) { logic(0x54, vector, position) }
    mutating func or(_ vector: Vector, position: Int) { logic(0x56, vector, position) }
    mutating func xor(_ vector: Vector, position: Int) { logic(0x57, vector, position) }

    private mutating func logic(_ opcode: UInt8, _ vector: Vector, _ target: Int) {
        if vector.rawValue >= 8 { byte(0x44) }
        byte(0x0F)
        byte(opcode)
        byte((vector.rawValue & 7) << 3 | 5)
        word32(0)
        link(position - 4, to: target)
    }

    /// Zeroes a register, so that nothing waits for what it held.
    mutating func clear(_ vector: Vector) {
        encode(0x570F, vector.rawValue, VectorPlace.vector(vector).place, wide: false)
    }

    mutating func storeControl(_ address: Address) { encode(0xAE0F, 3, .memory(address), wide: false) }

    /// Loads MXCSR from a position of the code.
    mutating func loadControl(position target: Int) {
        byte(0x0F)
        byte(0xAE)
        byte(0x15)
        word32(0)
        link(position - 4, to: target)
    }
}
