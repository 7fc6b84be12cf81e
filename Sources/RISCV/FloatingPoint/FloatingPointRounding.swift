/// A shift to the right whose last bit stands for all bits lost: enough for rounding when at least two bits are below
/// the last place.
@inline(__always)
func shiftingRightJamming<Integer: FixedWidthInteger & UnsignedInteger>(
    _ value: Integer, by count: Int
) -> Integer {
    guard count < Integer.bitWidth else { return value == 0 ? 0 : 1 }
    let amount = Integer(truncatingIfNeeded: count)
    let lost = value & ((1 &<< amount) &- 1)
    return (value &>> amount) | (lost == 0 ? 0 : 1)
}

extension BinaryFormat {
    /// A finite number other than zero, as `significand / 2^63 * 2^exponent` with bit 63 of the significand set.
    @inline(__always)
    static func unpack(_ a: Bits) -> (exponent: Int, significand: UInt64) {
        let field = exponentField(a)
        let fraction = UInt64(truncatingIfNeeded: a & fractionMask)
        if field != 0 {
            return (field &- bias, (fraction | 1 << fractionBits) << (63 - fractionBits))
        }
        let shift = fraction.leadingZeroBitCount
        return (64 - bias - fractionBits &- shift, fraction << shift)
    }

    /// Rounds `significand / 2^63 * 2^exponent` to the format.
    ///
    /// - Parameter significand: bit 63 is set; bit 0 may stand for any number of bits lost below it.
    static func round(
        isNegative: Bool, exponent: Int, significand: UInt64, _ rounding: RoundingMode,
        _ flags: inout FloatingPointFlags
    ) -> Bits {
        let dropped = UInt64(64 - precision)
        let mask = (1 &<< dropped) &- 1 as UInt64
        let half = 1 &<< (dropped &- 1) as UInt64
        let increment = rounding.increment(isNegative: isNegative, half: half, mask: mask)
        var field = exponent &+ bias
        var value = significand
        var isTiny = false
        if field <= 0 {
            // Tiny after rounding: what rounds up to the least normal number with the full precision is not.
            isTiny = field < 0 || !value.addingReportingOverflow(increment).overflow
            value = shiftingRightJamming(value, by: 1 &- field)
            field = 1
        }
        let remainder = value & mask
        var (sum, carry) = value.addingReportingOverflow(increment)
        if remainder == half && rounding == .nearestEven { sum &= ~(mask &+ 1) }
        // The leading one is added to the exponent field, which therefore starts one lower. A subnormal number has
        // none, and one that rounds up to the normal numbers gets it.
        let fraction = (sum &>> dropped) | (carry ? 1 &<< UInt64(precision) : 0)
        let magnitude = (UInt64(truncatingIfNeeded: field &- 1) &<< UInt64(fractionBits)) &+ fraction
        if remainder != 0 { flags.formUnion(isTiny ? [.inexact, .underflow] : .inexact) }
        let sign = zero(isNegative: isNegative)
        if magnitude >= UInt64(truncatingIfNeeded: infinity) {
            flags.formUnion([.overflow, .inexact])
            return sign | (increment == 0 ? infinity &- 1 : infinity)
        }
        return sign | Bits(truncatingIfNeeded: magnitude)
    }
}
