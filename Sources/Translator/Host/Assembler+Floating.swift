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

    mutating func loadFloat(_ format: FloatFormat, _ vector: Vector, _ address: Address) {
        encode(prefix: prefix(format), 0x100F, vector.rawValue, .memory(address), wide: false)
    }

    mutating func storeFloat(_ format: FloatFormat, _ address: Address, _ vector: Vector) {
        encode(prefix: prefix(format), 0x110F, vector.rawValue, .memory(address), wide: false)
    }

    mutating func arithmetic(_ kind: VectorArithmetic, _ format: FloatFormat, _ vector: Vector, _ address: Address) {
        encode(
            prefix: prefix(format), UInt32(kind.rawValue) << 8 | 0x0F, vector.rawValue, .memory(address), wide: false)
    }

    /// UCOMIS, or COMIS, which signals for every NaN.
    mutating func compareFloat(_ format: FloatFormat, _ vector: Vector, _ address: Address, signaling: Bool) {
        let opcode: UInt32 = signaling ? 0x2F0F : 0x2E0F
        encode(
            prefix: format == .double ? 0x66 : 0, opcode, vector.rawValue, .memory(address), wide: false)
    }

    /// Compares a register with itself: parity tells a NaN.
    mutating func testNaN(_ format: FloatFormat, _ vector: Vector) {
        if format == .double { byte(0x66) }
        byte(0x0F)
        byte(0x2E)
        byte(0xC0 | vector.rawValue << 3 | vector.rawValue)
    }

    mutating func convertFromInteger(_ format: FloatFormat, _ vector: Vector, _ place: Place, wide: Bool) {
        encode(prefix: prefix(format), 0x2A0F, vector.rawValue, place, wide: wide)
    }

    mutating func convertToInteger(
        _ format: FloatFormat, _ register: Register, _ address: Address, wide: Bool, truncating: Bool
    ) {
        encode(
            prefix: prefix(format), truncating ? 0x2C0F : 0x2D0F, register.rawValue, .memory(address), wide: wide)
    }

    /// From `format` to the other one.
    mutating func convertFloat(from format: FloatFormat, _ vector: Vector, _ address: Address) {
        encode(prefix: prefix(format), 0x5A0F, vector.rawValue, .memory(address), wide: false)
    }

    /// The 213 forms: first = ±(second × first) ± memory.
    mutating func multiplyAdd(
        _ kind: FloatFused, _ format: FloatFormat, _ first: Vector, _ second: Vector, _ address: Address
    ) {
        let opcode: UInt8 =
            switch kind {
            case .multiplyAdd: 0xA9
            case .multiplySubtract: 0xAB
            case .negatedMultiplyAdd: 0xAD
            case .negatedMultiplySubtract: 0xAF
            }
        encodeVEX(
            map: 2, prefix: 1, opcode, first.rawValue, second.rawValue, .memory(address), wide: format == .double)
    }

    /// Zeroes a register, so that nothing waits for what it held.
    mutating func clear(_ vector: Vector) {
        byte(0x0F)
        byte(0x57)
        byte(0xC0 | vector.rawValue << 3 | vector.rawValue)
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
