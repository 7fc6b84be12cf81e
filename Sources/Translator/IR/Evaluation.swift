// What the integer operations mean. The constant folder and the tests use it; the back end must agree with it.

extension BinaryOperation {
    /// The result for 64-bit operands.
    package func evaluate(_ a: UInt64, _ b: UInt64, _ width: Width) -> UInt64 {
        if width == .bits64 { return wide(a, b) }
        let result = narrow(UInt32(truncatingIfNeeded: a), UInt32(truncatingIfNeeded: b))
        return width == .bits32 ? UInt64(bitPattern: Int64(Int32(bitPattern: result))) : UInt64(result)
    }

    private func wide(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (x, y) = (Int64(bitPattern: a), Int64(bitPattern: b))
        switch self {
        case .multiplyHighSigned: return UInt64(bitPattern: x.multipliedFullWidth(by: y).high)
        case .multiplyHighUnsigned: return a.multipliedFullWidth(by: b).high
        case .multiplyHighSignedUnsigned: return a.multipliedFullWidth(by: b).high &- (x < 0 ? b : 0)
        case .minimumSigned: return x < y ? a : b
        case .minimumUnsigned: return min(a, b)
        case .maximumSigned: return x < y ? b : a
        case .maximumUnsigned: return max(a, b)
        case .addShifted1: return a << 1 &+ b
        case .addShifted2: return a << 2 &+ b
        case .addShifted3: return a << 3 &+ b
        case .zeroIfZero: return b == 0 ? 0 : a
        case .zeroIfNotZero: return b == 0 ? a : 0
        default: return common(a, b)
        }
    }

    private func narrow(_ a: UInt32, _ b: UInt32) -> UInt32 { common(a, b) }

    /// The operations that both widths have.
    private func common<Value: FixedWidthInteger & UnsignedInteger>(_ a: Value, _ b: Value) -> Value {
        let bits = Value(Value.bitWidth)
        let count = b & (bits - 1)
        switch self {
        case .add: return a &+ b
        case .subtract: return a &- b
        case .and: return a & b
        case .or: return a | b
        case .xor: return a ^ b
        case .andNot: return a & ~b
        case .orNot: return a | ~b
        case .xorNot: return a ^ ~b
        case .shiftLeft: return a << count
        case .shiftRight: return a >> count
        case .shiftRightArithmetic:
            let negative = a.leadingZeroBitCount == 0
            return negative ? ~(~a >> count) : a >> count
        case .rotateLeft: return a << count | (count == 0 ? 0 : a >> (bits - count))
        case .rotateRight: return a >> count | (count == 0 ? 0 : a << (bits - count))
        case .multiply: return a &* b
        case .divideUnsigned: return b == 0 ? .max : a / b
        case .remainderUnsigned: return b == 0 ? a : a % b
        case .divideSigned: return signedDivision(a, b).quotient
        case .remainderSigned: return signedDivision(a, b).remainder
        default: preconditionFailure("this operation has 64 bits only")
        }
    }

    private func signedDivision<Value: FixedWidthInteger & UnsignedInteger>(
        _ a: Value, _ b: Value
    ) -> (quotient: Value, remainder: Value) {
        if b == 0 { return (.max, a) }
        let (aNegative, bNegative) = (a.leadingZeroBitCount == 0, b.leadingZeroBitCount == 0)
        let (x, y) = (aNegative ? 0 &- a : a, bNegative ? 0 &- b : b)
        return (aNegative != bNegative ? 0 &- x / y : x / y, aNegative ? 0 &- x % y : x % y)
    }
}

extension UnaryOperation {
    package func evaluate(_ a: UInt64, _ width: Width) -> UInt64 {
        let low = UInt32(truncatingIfNeeded: a)
        return switch self {
        case .copy: a
        case .signExtend8: UInt64(bitPattern: Int64(Int8(truncatingIfNeeded: a)))
        case .signExtend16: UInt64(bitPattern: Int64(Int16(truncatingIfNeeded: a)))
        case .signExtend32: UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: a)))
        case .zeroExtend8: a & 0xFF
        case .zeroExtend16: a & 0xFFFF
        case .zeroExtend32: a & 0xFFFF_FFFF
        case .countLeadingZeros: UInt64(width == .bits64 ? a.leadingZeroBitCount : low.leadingZeroBitCount)
        case .countTrailingZeros: UInt64(width == .bits64 ? a.trailingZeroBitCount : low.trailingZeroBitCount)
        case .countOnes: UInt64(width == .bits64 ? a.nonzeroBitCount : low.nonzeroBitCount)
        case .swapBytes: a.byteSwapped
        }
    }
}
