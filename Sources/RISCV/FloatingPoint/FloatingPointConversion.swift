extension BinaryFormat {
    /// The same number in another format.
    static func convert<Other: BinaryFormat>(
        _ a: Bits, to other: Other.Type, _ rounding: RoundingMode, _ flags: inout FloatingPointFlags
    ) -> Other.Bits {
        if isNaN(a) {
            if isSignaling(a) { flags.insert(.invalid) }
            return Other.canonicalNaN
        }
        let zero = Other.zero(isNegative: isNegative(a))
        if isZero(a) { return zero }
        guard isFinite(a) else { return zero | Other.infinity }
        let (exponent, significand) = unpack(a)
        return Other.round(
            isNegative: isNegative(a), exponent: exponent, significand: significand, rounding, &flags)
    }

    /// An integer, rounded to the format.
    static func convert<Integer: FixedWidthInteger>(
        _ value: Integer, _ rounding: RoundingMode, _ flags: inout FloatingPointFlags
    ) -> Bits {
        if value == 0 { return 0 }
        let magnitude = UInt64(truncatingIfNeeded: value.magnitude)
        let shift = magnitude.leadingZeroBitCount
        return round(
            isNegative: value < 0, exponent: 63 &- shift,
            significand: magnitude &<< UInt64(truncatingIfNeeded: shift), rounding, &flags)
    }

    /// A number rounded to an integer of at most 64 bits.
    ///
    /// What does not fit after rounding gives the nearest bound, and a NaN the upper one, with the invalid flag and no
    /// other (Unprivileged ISA, F extension, "Domains of float-to-integer conversions").
    static func integer<Integer: FixedWidthInteger>(
        _ a: Bits, as type: Integer.Type, _ rounding: RoundingMode, _ flags: inout FloatingPointFlags
    ) -> Integer {
        if isZero(a) { return 0 }
        let isNegative = isNegative(a)
        let bound = isNegative && !isNaN(a) ? Integer.min : Integer.max
        guard isFinite(a) else {
            flags.insert(.invalid)
            return bound
        }
        let (exponent, significand) = unpack(a)
        guard exponent < 64 else {
            flags.insert(.invalid)
            return bound
        }
        // The integer part, and the fraction as a multiple of 2^-64.
        var whole: UInt64 = 0
        var fraction: UInt64 = 1
        if exponent >= 0 {
            whole = significand &>> UInt64(truncatingIfNeeded: 63 &- exponent)
            fraction = significand << UInt64(truncatingIfNeeded: exponent &+ 1)
        } else if exponent == -1 {
            fraction = significand
        }
        let half = 1 << 63 as UInt64
        let increment = rounding.increment(isNegative: isNegative, half: half, mask: .max)
        let isRoundedUp = fraction.addingReportingOverflow(increment).overflow
        // There is no fraction when the integer part takes all 64 bits.
        if isRoundedUp { whole &+= 1 }
        if fraction == half && rounding == .nearestEven { whole &= ~1 }
        guard whole <= UInt64(truncatingIfNeeded: bound.magnitude) else {
            flags.insert(.invalid)
            return bound
        }
        if fraction != 0 { flags.insert(.inexact) }
        let result = Integer(truncatingIfNeeded: whole)
        return isNegative ? 0 &- result : result
    }
}
