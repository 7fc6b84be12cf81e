import CFloatReference
import RISCV

/// The operations that the host's floating-point unit has, too.
enum FloatingPointOperation: UInt32, CaseIterable {
    case add, subtract, multiply, divide, squareRoot, multiplyAdd, isEqual, isLess, isLessOrEqual, convert

    var reference: reference_operation { reference_operation(rawValue: rawValue) }

    /// All flags that the operation ever sets.
    var possibleFlags: FloatingPointFlags {
        switch self {
        case .add, .subtract: [.inexact, .overflow, .invalid]
        case .multiply, .multiplyAdd: [.inexact, .underflow, .overflow, .invalid]
        case .divide: [.inexact, .underflow, .overflow, .invalid, .divideByZero]
        case .squareRoot: [.inexact, .invalid]
        case .isEqual, .isLess, .isLessOrEqual: .invalid
        case .convert: [.inexact, .underflow, .overflow, .invalid]
        }
    }

    /// Our result, `convert` excepted.
    func apply<Format: BinaryFormat>(
        _ format: Format.Type, _ a: Format.Bits, _ b: Format.Bits, _ c: Format.Bits, _ rounding: RoundingMode,
        _ flags: inout FloatingPointFlags
    ) -> Format.Bits {
        switch self {
        case .add: Format.add(a, b, rounding, &flags)
        case .subtract: Format.subtract(a, b, rounding, &flags)
        case .multiply: Format.multiply(a, b, rounding, &flags)
        case .divide: Format.divide(a, b, rounding, &flags)
        case .squareRoot: Format.squareRoot(a, rounding, &flags)
        case .multiplyAdd: Format.multiplyAdd(a, b, c, rounding, &flags)
        case .isEqual: Format.isEqual(a, b, &flags) ? 1 : 0
        case .isLess: Format.isLess(a, b, &flags) ? 1 : 0
        case .isLessOrEqual: Format.isLessOrEqual(a, b, &flags) ? 1 : 0
        case .convert: a
        }
    }
}
