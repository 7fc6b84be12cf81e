/// A binary interchange format of IEEE 754-2008, 3.4, with arithmetic on bit patterns as RISC-V's F and D extensions
/// define it.
///
/// Everything here is integer arithmetic, exact by construction, and independent of the host's floating-point unit and
/// of its modes. Operations take bit patterns and a rounding mode, and add to the accrued flags. A NaN that an
/// operation produces is always the canonical one. Tininess is detected after rounding.
package protocol BinaryFormat: Sendable {
    associatedtype Bits: FixedWidthInteger & UnsignedInteger & BitwiseCopyable & Sendable
    /// Twice as wide as `Bits`: holds a product of two significands with room for an addend.
    associatedtype DoubleWidth: FixedWidthInteger & UnsignedInteger

    /// Bits of the trailing significand field.
    static var fractionBits: Int { get }
}

/// Single precision.
package enum Binary32: BinaryFormat {
    package typealias Bits = UInt32
    package typealias DoubleWidth = UInt64
    @inlinable package static var fractionBits: Int { 23 }
}

/// Double precision.
package enum Binary64: BinaryFormat {
    package typealias Bits = UInt64
    package typealias DoubleWidth = UInt128
    @inlinable package static var fractionBits: Int { 52 }
}

extension BinaryFormat {
    /// Bits of a significand with its leading one.
    @inlinable @inline(__always) package static var precision: Int { fractionBits + 1 }

    @inlinable @inline(__always) package static var signBit: Bits { 1 << (Bits.bitWidth - 1) }

    @inlinable @inline(__always) package static var fractionMask: Bits { (1 << fractionBits) - 1 }

    /// The bit of the fraction that tells quiet NaNs from signalling ones.
    @inlinable @inline(__always) package static var quietBit: Bits { 1 << (fractionBits - 1) }

    @inlinable @inline(__always) package static var infinity: Bits { ~(signBit | fractionMask) }

    @inlinable @inline(__always) package static var canonicalNaN: Bits { infinity | quietBit }

    /// The exponent field of infinities and NaNs.
    @inlinable @inline(__always) package static var maximumExponentField: Int { Int(infinity >> fractionBits) }

    @inlinable @inline(__always) package static var bias: Int { maximumExponentField >> 1 }

    @inlinable @inline(__always) package static func isNegative(_ a: Bits) -> Bool { a & signBit != 0 }

    @inlinable @inline(__always) package static func magnitude(_ a: Bits) -> Bits { a & ~signBit }

    @inlinable @inline(__always) package static func isZero(_ a: Bits) -> Bool { magnitude(a) == 0 }

    @inlinable @inline(__always) package static func isInfinite(_ a: Bits) -> Bool { magnitude(a) == infinity }

    /// Neither an infinity nor a NaN.
    @inlinable @inline(__always) package static func isFinite(_ a: Bits) -> Bool { magnitude(a) < infinity }

    @inlinable @inline(__always) package static func isNaN(_ a: Bits) -> Bool { magnitude(a) > infinity }

    @inlinable @inline(__always)
    package static func isSignaling(_ a: Bits) -> Bool { isNaN(a) && a & quietBit == 0 }

    @inlinable @inline(__always) package static func zero(isNegative: Bool) -> Bits { isNegative ? signBit : 0 }

    @inlinable @inline(__always)
    package static func exponentField(_ a: Bits) -> Int { Int(truncatingIfNeeded: magnitude(a) >> fractionBits) }

    /// The result of an operation with at least one NaN among its operands.
    @inlinable
    package static func nan(from a: Bits, _ b: Bits = 0, _ c: Bits = 0, flags: inout FloatingPointFlags) -> Bits {
        if isSignaling(a) || isSignaling(b) || isSignaling(c) { flags.insert(.invalid) }
        return canonicalNaN
    }

    /// The result of an operation that has none.
    @inlinable
    package static func invalid(_ flags: inout FloatingPointFlags) -> Bits {
        flags.insert(.invalid)
        return canonicalNaN
    }
}
