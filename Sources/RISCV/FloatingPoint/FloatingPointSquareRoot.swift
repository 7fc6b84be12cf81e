extension BinaryFormat {
    /// √a
    static func squareRoot(
        _ a: Bits, _ rounding: RoundingMode, _ flags: inout FloatingPointFlags
    ) -> Bits {
        if isNaN(a) { return nan(from: a, flags: &flags) }
        if isZero(a) { return a }
        if isNegative(a) { return invalid(&flags) }
        guard isFinite(a) else { return a }
        let (exponent, significand) = unpack(a)
        // With an even exponent 2e the root is that of a number in [1, 4), times 2^e; as a multiple of 2^-62 that number
        // is the significand (odd exponent) or half of it, whose last bit is 0.
        let scaled = exponent & 1 == 0 ? significand &>> 1 : significand
        let root = precision <= 24 ? rootHigh(scaled) : rootFull(scaled)
        return round(
            isNegative: false, exponent: exponent &>> 1, significand: root, rounding, &flags)
    }

    /// The root of `n` times 2^32 rounded down to a multiple of 2^32, bit 0 standing for what is lost.
    static func rootHigh(_ n: UInt64) -> UInt64 {
        let root = integerRoot(n)
        return root &<< 32 | (root &* root == n ? 0 : 1)
    }

    /// The root of `n` times 2^32 rounded down, bit 0 standing for what is lost, too; `n` ends in ten zero bits.
    ///
    /// One step of P. Zimmermann's "Karatsuba square root" (INRIA RR-3805): the high half of the root, and what is left
    /// divided by twice that half, make a root that is right or one too large.
    static func rootFull(_ n: UInt64) -> UInt64 {
        let high = integerRoot(n)
        // At most 2 × high, less than 2^33: the dividend fits.
        let left = n &- high &* high
        let candidate = high &<< 32 &+ (left &<< 31) / high
        let square = candidate.multipliedFullWidth(by: candidate)
        if square.high == n && square.low == 0 { return candidate }
        let isTooLarge = square.high >= n
        return (isTooLarge ? candidate &- 1 : candidate) | 1
    }

    /// ⌊√n⌋ for n of at least 2^62, by Newton's method.
    static func integerRoot(_ n: UInt64) -> UInt64 {
        let top = UInt32(truncatingIfNeeded: n &>> 32)
        // A line through the root of [1/4, 1), at most 4.2 % off; each step squares the error and halves it.
        var estimate = UInt32(truncatingIfNeeded: (UInt64(top) &* 43691) &>> 32) &+ 23200
        estimate = (estimate &+ top / estimate) &>> 1
        estimate = (estimate &+ top / estimate) &>> 1
        let wide = UInt64(estimate) &<< 16
        // A step never ends below the root, and this one at most a few units above.
        var root = min((wide &+ n / wide) &>> 1, 0xFFFF_FFFF)
        while root &* root > n { root &-= 1 }
        return root
    }
}
