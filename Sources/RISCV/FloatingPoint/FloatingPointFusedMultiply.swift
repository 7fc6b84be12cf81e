extension BinaryFormat {
    /// a × b + c, rounded once. The other variants flip the signs of operands: −(a × b) + c is (−a) × b + c.
    static func multiplyAdd(
        _ a: Bits, _ b: Bits, _ c: Bits, _ rounding: RoundingMode, _ flags: inout FloatingPointFlags
    ) -> Bits {
        guard isFinite(a), isFinite(b), isFinite(c) else { return multiplyAddNonFinite(a, b, c, &flags) }
        let isProductNegative = isNegative(a ^ b)
        if isZero(a) || isZero(b) {
            guard isZero(c) else { return c }
            return isProductNegative == isNegative(c) ? c : zero(isNegative: rounding == .down)
        }
        // The exact product, in [1, 4) with 1 at bit 61 of 64 or 125 of 128. The addend is aligned to it, or it to the
        // addend; what is jammed into bit 0 lies so far below that cancellation cannot bring it near the last place.
        let width = DoubleWidth.bitWidth
        let (exponentA, significandA) = unpack(a)
        let (exponentB, significandB) = unpack(b)
        let scale = UInt64(64 - precision)
        var product = DoubleWidth(truncatingIfNeeded: significandA &>> scale)
        product &*= DoubleWidth(truncatingIfNeeded: significandB &>> scale)
        product &<<= DoubleWidth(width - 1 - 2 * precision)
        let productExponent = exponentA &+ exponentB
        var exponent = productExponent
        var addend: DoubleWidth = 0
        if !isZero(c) {
            let (addendExponent, significand) = unpack(c)
            addend = DoubleWidth(truncatingIfNeeded: significand &>> scale)
            addend &<<= DoubleWidth(width - 2 - precision)
            let difference = productExponent &- addendExponent
            if difference >= 0 {
                addend = shiftingRightJamming(addend, by: difference)
            } else {
                product = shiftingRightJamming(product, by: 0 &- difference)
                exponent = addendExponent
            }
        }
        var isNegative = isProductNegative
        var sum: DoubleWidth
        if isProductNegative == Self.isNegative(c) {
            sum = product &+ addend
        } else if product > addend {
            sum = product &- addend
        } else {
            sum = addend &- product
            isNegative = !isProductNegative
            if sum == 0 { return zero(isNegative: rounding == .down) }
        }
        let shift = sum.leadingZeroBitCount
        sum &<<= DoubleWidth(truncatingIfNeeded: shift)
        // The high 64 bits, all of them in single precision.
        let low = width == 64 ? 0 : UInt64(truncatingIfNeeded: sum)
        let significand = UInt64(truncatingIfNeeded: sum &>> DoubleWidth(width - 64)) | (low == 0 ? 0 : 1)
        return round(
            isNegative: isNegative, exponent: exponent &+ 2 &- shift, significand: significand, rounding, &flags)
    }

    static func multiplyAddNonFinite(
        _ a: Bits, _ b: Bits, _ c: Bits, _ flags: inout FloatingPointFlags
    ) -> Bits {
        // ∞ × 0 is invalid whatever is added, a quiet NaN included (Unprivileged ISA, F extension, FMADD).
        if isInfinite(a) && isZero(b) || isZero(a) && isInfinite(b) { return invalid(&flags) }
        if isNaN(a) || isNaN(b) || isNaN(c) { return nan(from: a, b, c, flags: &flags) }
        guard isInfinite(a) || isInfinite(b) else { return c }
        let product = zero(isNegative: isNegative(a ^ b)) | infinity
        return isFinite(c) || c == product ? product : invalid(&flags)
    }
}
