extension BinaryFormat {
    /// a + b
    static func add(
        _ a: Bits, _ b: Bits, _ rounding: RoundingMode, _ flags: inout FloatingPointFlags
    ) -> Bits {
        guard isFinite(a), isFinite(b) else { return addNonFinite(a, b, &flags) }
        let swap = magnitude(a) < magnitude(b)
        let (large, small) = swap ? (b, a) : (a, b)
        let isNegative = isNegative(large)
        let isSum = isNegative == Self.isNegative(small)
        let (exponent, significand) = unpackForSum(large)
        let (smallExponent, smallSignificand) = unpackForSum(small)
        let aligned = shiftingRightJamming(smallSignificand, by: exponent &- smallExponent)
        let sum = isSum ? significand &+ aligned : significand &- aligned
        if sum == 0 { return zero(isNegative: isSum ? isNegative : rounding == .down) }
        let shift = sum.leadingZeroBitCount
        return round(
            isNegative: isNegative, exponent: exponent &- bias &+ 1 &- shift,
            significand: sum &<< UInt64(truncatingIfNeeded: shift), rounding, &flags)
    }

    /// a - b
    @inline(__always)
    static func subtract(
        _ a: Bits, _ b: Bits, _ rounding: RoundingMode, _ flags: inout FloatingPointFlags
    ) -> Bits {
        add(a, b ^ signBit, rounding, &flags)
    }

    /// The exponent field, 1 for subnormals and zeros as they are scaled alike, and the significand with its leading
    /// one, if any, in bit 62: there is room for a carry above, and for at least ten bits below.
    @inline(__always)
    static func unpackForSum(_ a: Bits) -> (exponent: Int, significand: UInt64) {
        let field = exponentField(a)
        let fraction = UInt64(truncatingIfNeeded: a & fractionMask) | (field == 0 ? 0 : 1 << fractionBits)
        return (max(field, 1), fraction << (62 - fractionBits))
    }

    static func addNonFinite(_ a: Bits, _ b: Bits, _ flags: inout FloatingPointFlags) -> Bits {
        if isNaN(a) || isNaN(b) { return nan(from: a, b, flags: &flags) }
        if isFinite(b) { return a }
        if isFinite(a) || a == b { return b }
        return invalid(&flags)
    }

    /// a × b
    static func multiply(
        _ a: Bits, _ b: Bits, _ rounding: RoundingMode, _ flags: inout FloatingPointFlags
    ) -> Bits {
        let isNegative = isNegative(a ^ b)
        guard isFinite(a), isFinite(b) else {
            if isNaN(a) || isNaN(b) { return nan(from: a, b, flags: &flags) }
            if isZero(a) || isZero(b) { return invalid(&flags) }
            return zero(isNegative: isNegative) | infinity
        }
        if isZero(a) || isZero(b) { return zero(isNegative: isNegative) }
        let (exponentA, significandA) = unpack(a)
        let (exponentB, significandB) = unpack(b)
        let (high, low) = significandA.multipliedFullWidth(by: significandB)
        let sticky: UInt64 = low == 0 ? 0 : 1
        // The product of two numbers in [1, 2) is in [1, 4).
        let isLarge = high &>> 63 != 0
        return round(
            isNegative: isNegative, exponent: exponentA &+ exponentB &+ (isLarge ? 1 : 0),
            significand: (isLarge ? high : high &<< 1) | sticky, rounding, &flags)
    }

    /// a ÷ b
    static func divide(
        _ a: Bits, _ b: Bits, _ rounding: RoundingMode, _ flags: inout FloatingPointFlags
    ) -> Bits {
        let isNegative = isNegative(a ^ b)
        guard isFinite(a), isFinite(b) else {
            if isNaN(a) || isNaN(b) { return nan(from: a, b, flags: &flags) }
            if isFinite(b) { return zero(isNegative: isNegative) | infinity }
            return isFinite(a) ? zero(isNegative: isNegative) : invalid(&flags)
        }
        if isZero(b) {
            if isZero(a) { return invalid(&flags) }
            flags.insert(.divideByZero)
            return zero(isNegative: isNegative) | infinity
        }
        if isZero(a) { return zero(isNegative: isNegative) }
        let (exponentA, significandA) = unpack(a)
        let (exponentB, significandB) = unpack(b)
        // The quotient of two numbers in [1, 2) is in (1/2, 2), here scaled by 2^63 or, where the significands are
        // short enough for a plain division, by 2^39; both leave at least two bits below the last place.
        var quotient: UInt64
        let remainder: UInt64
        if precision <= 24 {
            let (dividend, divisor) = (significandA &>> 1, significandB &>> 40)
            (quotient, remainder) = (dividend / divisor, dividend % divisor)
            quotient &<<= 24
        } else {
            (quotient, remainder) = significandB.dividingFullWidth((significandA &>> 1, significandA &<< 63))
        }
        let sticky: UInt64 = remainder == 0 ? 0 : 1
        let isSmall = quotient &>> 63 == 0
        return round(
            isNegative: isNegative, exponent: exponentA &- exponentB &- (isSmall ? 1 : 0),
            significand: (isSmall ? quotient &<< 1 : quotient) | sticky, rounding, &flags)
    }
}
