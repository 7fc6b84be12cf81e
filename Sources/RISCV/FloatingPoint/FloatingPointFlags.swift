/// The accrued exception flags of `fflags`, in the order of its bits (Unprivileged ISA, F extension, table "Accrued
/// exception flag encoding").
package struct FloatingPointFlags: OptionSet, Equatable, Sendable {
    package var rawValue: UInt8

    @inlinable
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// NX: the result is not the exact one.
    @inlinable package static var inexact: Self { Self(rawValue: 1) }
    /// UF: the result is inexact, and below the normal numbers after rounding.
    @inlinable package static var underflow: Self { Self(rawValue: 2) }
    /// OF: the rounded result is beyond the finite numbers.
    @inlinable package static var overflow: Self { Self(rawValue: 4) }
    /// DZ: an infinity that comes exactly from finite operands.
    @inlinable package static var divideByZero: Self { Self(rawValue: 8) }
    /// NV: there is no usable result, or an operand is a signalling NaN.
    @inlinable package static var invalid: Self { Self(rawValue: 16) }
}
