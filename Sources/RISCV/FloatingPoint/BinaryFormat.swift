/// A binary interchange format of IEEE 754-2008, 3.4, with arithmetic on bit patterns as RISC-V's F and D extensions
/// define it.
///
/// Everything here is integer arithmetic, exact by construction, and independent of the host's floating-point unit and
/// of its modes. Operations take bit patterns and a rounding mode, and add to the accrued flags. A NaN that an
/// operation produces is always the canonical one. Tininess is detected after rounding.
protocol BinaryFormat: Sendable {
    associatedtype Bits: FixedWidthInteger & UnsignedInteger & BitwiseCopyable & Sendable
    /// Twice as wide as `Bits`: holds a product of two significands with room for an addend.
    associatedtype DoubleWidth: FixedWidthInteger & UnsignedInteger

    /// Bits of the trailing significand field.
    static var fractionBits: Int { get }
}

/// Half precision.
enum Binary16: BinaryFormat {
    typealias Bits = UInt16
    typealias DoubleWidth = UInt32
    static var fractionBits: Int { 10 }
}

/// Single precision.
enum Binary32: BinaryFormat {
    typealias Bits = UInt32
    typealias DoubleWidth = UInt64
    static var fractionBits: Int { 23 }
}

/// Double precision.
enum Binary64: BinaryFormat {
    typealias Bits = UInt64
    typealias DoubleWidth = UInt128
    static var fractionBits: Int { 52 }
}

extension BinaryFormat {
    /// Bits of a significand with its leading one.
    @inline(__always) static var precision: Int { fractionBits + 1 }

    @inline(__always) static var signBit: Bits { 1 << (Bits.bitWidth - 1) }

    @inline(__always) static var fractionMask: Bits { (1 << fractionBits) - 1 }

    /// The bit of the fraction that tells quiet NaNs from signalling ones.
    @inline(__always) static var quietBit: Bits { 1 << (fractionBits - 1) }

    @inline(__always) static var infinity: Bits { ~(signBit | fractionMask) }

    @inline(__always) static var canonicalNaN: Bits { infinity | quietBit }

    /// The exponent field of infinities and NaNs.
    @inline(__always) static var maximumExponentField: Int { Int(infinity >> fractionBits) }

    @inline(__always) static var bias: Int { maximumExponentField >> 1 }

    @inline(__always) static func isNegative(_ a: Bits) -> Bool { a & signBit != 0 }

    @inline(__always) static func magnitude(_ a: Bits) -> Bits { a & ~signBit }

    @inline(__always) static func isZero(_ a: Bits) -> Bool { magnitude(a) == 0 }

    @inline(__always) static func isInfinite(_ a: Bits) -> Bool { magnitude(a) == infinity }

    /// Neither an infinity nor a NaN.
    @inline(__always) static func isFinite(_ a: Bits) -> Bool { magnitude(a) < infinity }

    @inline(__always) static func isNaN(_ a: Bits) -> Bool { magnitude(a) > infinity }

    @inline(__always)
    static func isSignaling(_ a: Bits) -> Bool { isNaN(a) && a & quietBit == 0 }

    @inline(__always) static func zero(isNegative: Bool) -> Bits { isNegative ? signBit : 0 }

    @inline(__always)
    static func exponentField(_ a: Bits) -> Int { Int(truncatingIfNeeded: magnitude(a) >> fractionBits) }

    /// The result of an operation with at least one NaN among its operands.
    static func nan(from a: Bits, _ b: Bits = 0, _ c: Bits = 0, flags: inout FloatingPointFlags) -> Bits {
        if isSignaling(a) || isSignaling(b) || isSignaling(c) { flags.insert(.invalid) }
        return canonicalNaN
    }

    /// The result of an operation that has none.
    static func invalid(_ flags: inout FloatingPointFlags) -> Bits {
        flags.insert(.invalid)
        return canonicalNaN
    }
}
