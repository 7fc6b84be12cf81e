/// The flags of an operation as a value of 64 bits. The bits lie so that hosts can put them together with few instructions; a front
/// end brings them to its guest's places where the guest looks at them as a number.
package enum FlagBits {
    /// Unsigned overflow of a sum, or a borrow.
    package static let carry: UInt64 = 1
    package static let zero: UInt64 = 2
    package static let negative: UInt64 = 4
    /// Signed overflow.
    package static let overflow: UInt64 = 8
}

/// The operation whose flags are computed.
package enum FlagOperation: Sendable {
    case add, subtract
    /// Of the first operand, which is a result already. Carry and overflow are clear.
    case logic

    /// The flags of an operation on the low `width` bits of its operands.
    package func evaluate(_ a: UInt64, _ b: UInt64, _ width: FlagWidth) -> UInt64 {
        // At the upper end of 64 bits, narrower operands carry and overflow as they do in their own width.
        let shift = UInt64(64 - width.rawValue)
        let (x, y) = (a << shift, b << shift)
        let (result, carry, overflow): (UInt64, Bool, Bool) =
            switch self {
            case .add:
                (
                    x &+ y, x.addingReportingOverflow(y).overflow,
                    Int64(bitPattern: x).addingReportingOverflow(Int64(bitPattern: y)).overflow
                )
            case .subtract:
                (x &- y, x < y, Int64(bitPattern: x).subtractingReportingOverflow(Int64(bitPattern: y)).overflow)
            case .logic: (x, false, false)
            }
        return (carry ? FlagBits.carry : 0) | (result == 0 ? FlagBits.zero : 0)
            | (result >> 63 == 1 ? FlagBits.negative : 0) | (overflow ? FlagBits.overflow : 0)
    }
}

/// Bits of the operands that flags are of.
package enum FlagWidth: UInt8, Sendable {
    case bits8 = 8
    case bits16 = 16
    case bits32 = 32
    case bits64 = 64
}

/// A condition on flags. Those with a comparison's name hold of the flags of a subtraction whose operands compare so.
package enum FlagCondition: Sendable, CaseIterable {
    case zero, notZero, carry, notCarry, negative, notNegative, overflow, notOverflow
    case lessSigned, greaterOrEqualSigned, lessOrEqualSigned, greaterSigned
    /// Carry or zero, and neither.
    case lessOrEqualUnsigned, greaterUnsigned

    package func holds(_ flags: UInt64) -> Bool {
        func has(_ bit: UInt64) -> Bool { flags & bit != 0 }
        let less = has(FlagBits.negative) != has(FlagBits.overflow)
        return switch self {
        case .zero: has(FlagBits.zero)
        case .notZero: !has(FlagBits.zero)
        case .carry: has(FlagBits.carry)
        case .notCarry: !has(FlagBits.carry)
        case .negative: has(FlagBits.negative)
        case .notNegative: !has(FlagBits.negative)
        case .overflow: has(FlagBits.overflow)
        case .notOverflow: !has(FlagBits.overflow)
        case .lessSigned: less
        case .greaterOrEqualSigned: !less
        case .lessOrEqualSigned: less || has(FlagBits.zero)
        case .greaterSigned: !less && !has(FlagBits.zero)
        case .lessOrEqualUnsigned: flags & (FlagBits.carry | FlagBits.zero) != 0
        case .greaterUnsigned: flags & (FlagBits.carry | FlagBits.zero) == 0
        }
    }

    /// The comparison of a subtraction's operands that holds when this one does of its flags; nil where there is none.
    var comparison: Condition? {
        switch self {
        case .zero: .equal
        case .notZero: .notEqual
        case .carry: .lessUnsigned
        case .notCarry: .greaterOrEqualUnsigned
        case .lessSigned: .lessSigned
        case .greaterOrEqualSigned: .greaterOrEqualSigned
        case .lessOrEqualSigned: .lessOrEqualSigned
        case .greaterSigned: .greaterSigned
        case .lessOrEqualUnsigned: .lessOrEqualUnsigned
        case .greaterUnsigned: .greaterUnsigned
        case .negative, .notNegative, .overflow, .notOverflow: nil
        }
    }

    /// The same for a value that is compared with 0, where the flags are those of `FlagOperation.logic`.
    var comparisonWithZero: Condition? {
        switch self {
        case .zero: .equal
        case .notZero: .notEqual
        case .negative, .lessSigned: .lessSigned
        case .notNegative, .greaterOrEqualSigned: .greaterOrEqualSigned
        case .lessOrEqualSigned: .lessOrEqualSigned
        case .greaterSigned: .greaterSigned
        case .carry, .notCarry, .overflow, .notOverflow, .lessOrEqualUnsigned, .greaterUnsigned: nil
        }
    }
}
