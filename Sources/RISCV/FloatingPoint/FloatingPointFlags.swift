/// The accrued exception flags of `fflags`, in the order of its bits (Unprivileged ISA, F extension, table "Accrued
/// exception flag encoding").
struct FloatingPointFlags: OptionSet, Equatable, Sendable {
    var rawValue: UInt8

    init(rawValue: UInt8) { self.rawValue = rawValue }

    /// NX: the result is not the exact one.
    static var inexact: Self { Self(rawValue: 1) }
    /// UF: the result is inexact, and below the normal numbers after rounding.
    static var underflow: Self { Self(rawValue: 2) }
    /// OF: the rounded result is beyond the finite numbers.
    static var overflow: Self { Self(rawValue: 4) }
    /// DZ: an infinity that comes exactly from finite operands.
    static var divideByZero: Self { Self(rawValue: 8) }
    /// NV: there is no usable result, or an operand is a signalling NaN.
    static var invalid: Self { Self(rawValue: 16) }
}
