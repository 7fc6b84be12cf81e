/// A format of IEEE 754. Singles lie in the low half of a slot whose upper half is all ones.
package enum FloatFormat: Sendable {
    case single, double
}

package enum FloatBinary: Sendable {
    case add, subtract, multiply, divide
}

/// ±(a × b) ± c with one rounding.
package enum FloatFused: Sendable {
    case multiplyAdd, multiplySubtract, negatedMultiplyAdd, negatedMultiplySubtract
}

/// The new sign of the first operand: that of the second operand, its opposite, or the exclusive or of both.
package enum FloatSign: Sendable {
    case copy, copyNegated, xor
}

package enum FloatComparison: Sendable {
    case equal, less, lessOrEqual
}

/// A floating-point operation as the host's unit does it: rounding to nearest even (except where it says otherwise), flags
/// accruing. Where the guest's result may be another one (a NaN comes out, an integer does not fit, a single is not boxed),
/// the statement's helper computes it instead.
package enum FloatOperation: Sendable {
    case binary(FloatBinary, Slot, Slot, Slot)
    case squareRoot(Slot, Slot)
    case fused(FloatFused, Slot, Slot, Slot, Slot)
    case sign(FloatSign, Slot, Slot, Slot)
    case compare(FloatComparison, Slot?, Slot, Slot)
    /// From a signed integer; the low half of the operand when narrow.
    case fromInteger(Slot, Operand, wide: Bool)
    /// To a signed integer, truncating or rounding to nearest.
    case toInteger(Slot?, Slot, wide: Bool, truncating: Bool)
    /// From the other format.
    case convert(Slot, Slot)
}
