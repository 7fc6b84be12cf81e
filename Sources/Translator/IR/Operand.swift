/// An element of guest state that generated code works on: 64 bits at `index` × 8 bytes from the start of the state.
public struct Slot: Hashable, Sendable {
    /// The slot's number, from the start of the state on.
    public let index: UInt8

    package init(_ index: UInt8) { self.index = index }

    /// Bytes from the start of the state.
    package var offset: Int { Int(index) * 8 }

    /// The slot behind this one, where it is the low half of a vector.
    package var upperHalf: Slot { Slot(index + 1) }
}

/// The source of a value that a statement reads.
public enum Operand: Equatable, Sendable {
    case slot(Slot)
    case constant(UInt64)
    /// The base of the page that the block runs in, plus a constant. In blocks that are relative only.
    case address(UInt64)

    /// An address of guest code as a value, in the terms of its block's addresses.
    package static func code(_ address: UInt64, isRelative: Bool) -> Operand {
        isRelative ? .address(address) : .constant(address)
    }

    /// The value, if it is a constant.
    @inlinable public var constant: UInt64? {
        if case .constant(let value) = self { value } else { nil }
    }
}

extension Slot: CustomStringConvertible {
    /// As traces show it.
    public var description: String { "s\(index)" }
}

extension Operand: CustomStringConvertible {
    /// As traces show it.
    public var description: String {
        switch self {
        case .slot(let slot): slot.description
        case .constant(let value): "0x" + String(value, radix: 16)
        case .address(let value): "page+0x" + String(value, radix: 16)
        }
    }
}

/// How much of its operands an integer operation looks at.
public enum Width: Sendable {
    case bits64
    /// The low halves; the result is sign-extended to 64 bits.
    case bits32
    /// The low halves; the result is zero-extended to 64 bits.
    case bits32ZeroExtended

    /// Whether the operation looks at all 64 bits.
    @inlinable public var isWide: Bool { self == .bits64 }
}

package enum BinaryOperation: Sendable {
    case add, subtract, and, or, xor
    /// With the second operand complemented.
    case andNot, orNot, xorNot
    /// Counts are taken modulo the width.
    case shiftLeft, shiftRight, shiftRightArithmetic, rotateLeft, rotateRight
    case multiply
    /// The upper half of the product; 64 bits only.
    case multiplyHighSigned, multiplyHighUnsigned, multiplyHighSignedUnsigned
    /// Division is total: by zero it gives all ones, its remainder is the dividend; on overflow, the dividend and 0.
    case divideSigned, divideUnsigned, remainderSigned, remainderUnsigned
    /// 64 bits only.
    case minimumSigned, minimumUnsigned, maximumSigned, maximumUnsigned
    /// (first << n) + second; 64 bits only.
    case addShifted1, addShifted2, addShifted3
    /// first, or 0 where second is (not) zero; 64 bits only.
    case zeroIfZero, zeroIfNotZero
}

package enum UnaryOperation: Sendable {
    case copy
    case signExtend8, signExtend16, signExtend32, zeroExtend8, zeroExtend16, zeroExtend32
    /// Of zero they count the width.
    case countLeadingZeros, countTrailingZeros
    case countOnes
    /// 64 bits only.
    case swapBytes
}

package enum Condition: Sendable {
    case equal, notEqual, lessSigned, greaterOrEqualSigned, lessUnsigned, greaterOrEqualUnsigned
    // Only made by exchanging operands.
    case greaterSigned, lessOrEqualSigned, greaterUnsigned, lessOrEqualUnsigned

    /// The condition that holds for exchanged operands.
    package var exchanged: Condition {
        switch self {
        case .equal: .equal
        case .notEqual: .notEqual
        case .lessSigned: .greaterSigned
        case .greaterOrEqualSigned: .lessOrEqualSigned
        case .lessUnsigned: .greaterUnsigned
        case .greaterOrEqualUnsigned: .lessOrEqualUnsigned
        case .greaterSigned: .lessSigned
        case .lessOrEqualSigned: .greaterOrEqualSigned
        case .greaterUnsigned: .lessUnsigned
        case .lessOrEqualUnsigned: .greaterOrEqualUnsigned
        }
    }

    func holds(_ a: UInt64, _ b: UInt64) -> Bool {
        let (x, y) = (Int64(bitPattern: a), Int64(bitPattern: b))
        return switch self {
        case .equal: a == b
        case .notEqual: a != b
        case .lessSigned: x < y
        case .greaterOrEqualSigned: x >= y
        case .lessUnsigned: a < b
        case .greaterOrEqualUnsigned: a >= b
        case .greaterSigned: x > y
        case .lessOrEqualSigned: x <= y
        case .greaterUnsigned: a > b
        case .lessOrEqualUnsigned: a <= b
        }
    }
}

/// The size of a guest memory access, and how a loaded value becomes 64 bits.
package struct MemoryType: Equatable, Sendable {
    /// 1, 2, 4 or 8.
    package let bytes: Int
    package let signed: Bool

    package init(bytes: Int, signed: Bool = false) {
        self.bytes = bytes
        self.signed = signed
    }

    /// The index in `all` of the type, or of the unsigned type of 8 bytes for both.
    package var index: Int { bytes == 8 ? 6 : bytes.trailingZeroBitCount * 2 + (signed ? 1 : 0) }

    package static let all =
        [1, 2, 4].flatMap { [MemoryType(bytes: $0), MemoryType(bytes: $0, signed: true)] }
        + [MemoryType(bytes: 8)]
}
