extension BinaryFormat {
    /// a == b; only signalling NaNs are invalid.
    static func isEqual(_ a: Bits, _ b: Bits, _ flags: inout FloatingPointFlags) -> Bool {
        if isNaN(a) || isNaN(b) {
            if isSignaling(a) || isSignaling(b) { flags.insert(.invalid) }
            return false
        }
        return a == b || isZero(a) && isZero(b)
    }

    /// a < b; every NaN is invalid.
    static func isLess(_ a: Bits, _ b: Bits, _ flags: inout FloatingPointFlags) -> Bool {
        if isNaN(a) || isNaN(b) {
            flags.insert(.invalid)
            return false
        }
        return orders(a, before: b) && !(isZero(a) && isZero(b))
    }

    /// a <= b; every NaN is invalid.
    static func isLessOrEqual(_ a: Bits, _ b: Bits, _ flags: inout FloatingPointFlags) -> Bool {
        if isNaN(a) || isNaN(b) {
            flags.insert(.invalid)
            return false
        }
        return !orders(b, before: a) || isZero(a) && isZero(b)
    }

    /// The order of numbers, with -0 before +0.
    @inline(__always)
    static func orders(_ a: Bits, before b: Bits) -> Bool {
        switch (isNegative(a), isNegative(b)) {
        case (false, false): a < b
        case (true, true): a > b
        case (let isNegative, _): isNegative
        }
    }

    /// minimumNumber of IEEE 754-2019, 9.6, with -0 less than +0.
    static func minimum(_ a: Bits, _ b: Bits, _ flags: inout FloatingPointFlags) -> Bits {
        if isNaN(a) || isNaN(b) { return number(a, b, &flags) }
        return orders(b, before: a) ? b : a
    }

    /// maximumNumber of IEEE 754-2019, 9.6, with -0 less than +0.
    static func maximum(_ a: Bits, _ b: Bits, _ flags: inout FloatingPointFlags) -> Bits {
        if isNaN(a) || isNaN(b) { return number(a, b, &flags) }
        return orders(a, before: b) ? b : a
    }

    /// The number among two operands of which one, or both, are NaNs.
    static func number(_ a: Bits, _ b: Bits, _ flags: inout FloatingPointFlags) -> Bits {
        let nan = nan(from: a, b, flags: &flags)
        return !isNaN(a) ? a : !isNaN(b) ? b : nan
    }

    /// FSGNJ: a with the sign of b.
    @inline(__always)
    static func copySign(_ a: Bits, from b: Bits) -> Bits { magnitude(a) | b & signBit }

    /// FSGNJN: a with the sign that b does not have.
    @inline(__always)
    static func copyNegatedSign(_ a: Bits, from b: Bits) -> Bits { magnitude(a) | ~b & signBit }

    /// FSGNJX: a, negated if b is negative.
    @inline(__always)
    static func multiplySign(_ a: Bits, by b: Bits) -> Bits { a ^ b & signBit }

    /// FCLASS: one bit set of ten (Unprivileged ISA, F extension, "Format of result of FCLASS instruction"):
    /// 0 −∞, 1 negative normal, 2 negative subnormal, 3 −0, 4 +0, 5 positive subnormal, 6 positive normal, 7 +∞,
    /// 8 signalling NaN, 9 quiet NaN.
    static func classify(_ a: Bits) -> UInt64 {
        if isNaN(a) { return isSignaling(a) ? 1 << 8 : 1 << 9 }
        let isSubnormal = exponentField(a) == 0
        let kind = isInfinite(a) ? 0 : isZero(a) ? 3 : isSubnormal ? 2 : 1
        return 1 &<< UInt64(isNegative(a) ? kind : 7 - kind)
    }
}
