import CFloatReference

@testable import RISCV

/// A row of the instruction table whose result and flags the host's floating-point unit can tell.
struct FloatingPointReference: Sendable, CustomStringConvertible {
    enum Operands: Sendable {
        case single, double, integer
    }

    let name: String
    let operands: Operands
    /// The flags that the instruction sets for some operands.
    let possibleFlags: FloatingPointFlags
    /// The value of the destination register and the flags, from a rounding mode and the bits of three operands.
    let expected: @Sendable (_ rounding: Int32, _ a: UInt64, _ b: UInt64, _ c: UInt64) -> (UInt64, UInt8)

    var description: String { name }

    static let all: [FloatingPointReference] =
        [false, true].flatMap { arithmetic(isDouble: $0) + integers(isDouble: $0) } + formats

    private static func box(_ value: UInt64, isDouble: Bool) -> UInt64 {
        isDouble ? value : value | 0xFFFF_FFFF_0000_0000
    }

    private static func call(
        _ operation: reference_operation, isDouble: Bool, _ rounding: Int32, _ a: UInt64, _ b: UInt64, _ c: UInt64
    ) -> reference_result {
        isDouble
            ? reference_64(operation, rounding, a, b, c)
            : reference_32(operation, rounding, UInt32(a), UInt32(b), UInt32(c))
    }

    private static func arithmetic(isDouble: Bool) -> [FloatingPointReference] {
        let suffix = isDouble ? ".d" : ".s"
        let operands: Operands = isDouble ? .double : .single
        let rows: [(String, reference_operation, FloatingPointFlags)] = [
            ("fadd", REFERENCE_ADD, [.inexact, .overflow, .invalid]),
            ("fsub", REFERENCE_SUBTRACT, [.inexact, .overflow, .invalid]),
            ("fmul", REFERENCE_MULTIPLY, [.inexact, .underflow, .overflow, .invalid]),
            ("fdiv", REFERENCE_DIVIDE, [.inexact, .underflow, .overflow, .invalid, .divideByZero]),
            ("fsqrt", REFERENCE_SQUARE_ROOT, [.inexact, .invalid]),
        ]
        let comparisons: [(String, reference_operation)] = [
            ("feq", REFERENCE_EQUAL), ("flt", REFERENCE_LESS), ("fle", REFERENCE_LESS_OR_EQUAL),
        ]
        // The product and the addend are negated.
        let fused: [(String, Bool, Bool)] = [
            ("fmadd", false, false), ("fmsub", false, true), ("fnmsub", true, false), ("fnmadd", true, true),
        ]
        return rows.map { name, operation, flags in
            FloatingPointReference(name: name + suffix, operands: operands, possibleFlags: flags) {
                let result = call(operation, isDouble: isDouble, $0, $1, $2, $3)
                return (box(result.value, isDouble: isDouble), result.flags)
            }
        }
            + comparisons.map { name, operation in
                FloatingPointReference(name: name + suffix, operands: operands, possibleFlags: .invalid) {
                    let result = call(operation, isDouble: isDouble, $0, $1, $2, $3)
                    return (result.value, result.flags)
                }
            }
            + fused.map { name, negatesProduct, negatesAddend in
                FloatingPointReference(
                    name: name + suffix, operands: operands,
                    possibleFlags: [.inexact, .underflow, .overflow, .invalid]
                ) { rounding, a, b, c in
                    let sign: UInt64 = isDouble ? 1 << 63 : 1 << 31
                    let result = call(
                        REFERENCE_MULTIPLY_ADD, isDouble: isDouble, rounding, negatesProduct ? a ^ sign : a, b,
                        negatesAddend ? c ^ sign : c)
                    // IEEE 754-2008, 7.2, leaves open whether ∞ × 0 + qNaN is invalid. RISC-V says it is; hosts differ.
                    let infinity: UInt64 = isDouble ? 0x7FF0_0000_0000_0000 : 0x7F80_0000
                    let magnitudes = [a & ~sign, b & ~sign].sorted()
                    let flags = magnitudes == [0, infinity] ? result.flags | 16 : result.flags
                    return (box(result.value, isDouble: isDouble), flags)
                }
            }
    }

    private static func integers(isDouble: Bool) -> [FloatingPointReference] {
        let format = isDouble ? "d" : "s"
        let types: [(String, Int32, Bool)] = [("w", 32, true), ("wu", 32, false), ("l", 64, true), ("lu", 64, false)]
        return types.flatMap { name, width, isSigned in
            let fromWord = width == 32
            // 32 bits fit into a double.
            let flags: FloatingPointFlags = isDouble && fromWord ? [] : .inexact
            return [
                FloatingPointReference(
                    name: "fcvt.\(name).\(format)", operands: isDouble ? .double : .single,
                    possibleFlags: [.inexact, .invalid]
                ) { rounding, a, _, _ in
                    let result =
                        isDouble
                        ? reference_64_to_integer(rounding, isSigned ? 1 : 0, width, a)
                        : reference_32_to_integer(rounding, isSigned ? 1 : 0, width, UInt32(a))
                    let value =
                        fromWord ? UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: result.value))) : result.value
                    return (value, result.flags)
                },
                FloatingPointReference(
                    name: "fcvt.\(format).\(name)", operands: .integer, possibleFlags: flags
                ) { rounding, a, _, _ in
                    var value = a
                    if fromWord {
                        value = isSigned ? UInt64(bitPattern: Int64(Int32(truncatingIfNeeded: a))) : a & 0xFFFF_FFFF
                    }
                    let result =
                        isDouble
                        ? reference_64_from_integer(rounding, isSigned ? 1 : 0, value)
                        : reference_32_from_integer(rounding, isSigned ? 1 : 0, value)
                    return (box(result.value, isDouble: isDouble), result.flags)
                },
            ]
        }
    }

    private static let formats: [FloatingPointReference] = [
        FloatingPointReference(name: "fcvt.d.s", operands: .single, possibleFlags: .invalid) {
            let result = call(REFERENCE_CONVERT, isDouble: false, $0, $1, $2, $3)
            return (result.value, result.flags)
        },
        FloatingPointReference(
            name: "fcvt.s.d", operands: .double, possibleFlags: [.inexact, .underflow, .overflow, .invalid]
        ) {
            let result = call(REFERENCE_CONVERT, isDouble: true, $0, $1, $2, $3)
            return (box(result.value, isDouble: false), result.flags)
        },
    ]
}
