import Testing
import Translator

@testable import HostX86_64

/// Runs integer operations as generated code and compares with what they mean.
@Suite struct EvaluationTests {
    private static let values: [UInt64] = [
        0, 1, 2, 31, 32, 63, 64, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x1_0000_0000,
        0x7FFF_FFFF_FFFF_FFFF, 0x8000_0000_0000_0000, 0xFFFF_FFFF_8000_0000, 0xFFFF_FFFF_FFFF_FFFF,
        0x1234_5678_9ABC_DEF0,
    ]

    private static let common: [BinaryOperation] = [
        .add, .subtract, .and, .or, .xor, .andNot, .orNot, .xorNot, .shiftLeft, .shiftRight, .shiftRightArithmetic,
        .rotateLeft, .rotateRight, .multiply, .divideSigned, .divideUnsigned, .remainderSigned, .remainderUnsigned,
    ]
    private static let wideOnly: [BinaryOperation] = [
        .multiplyHighSigned, .multiplyHighUnsigned, .multiplyHighSignedUnsigned, .minimumSigned, .minimumUnsigned,
        .maximumSigned, .maximumUnsigned, .addShifted1, .addShifted2, .addShifted3, .zeroIfZero, .zeroIfNotZero,
    ]
    // Slots 2 and 3 are in registers, 20 and 21 in memory.
    private static let places: [(UInt8, UInt8, UInt8)] = [
        (2, 2, 3), (2, 3, 2), (2, 2, 2), (4, 2, 3), (20, 20, 2), (20, 2, 20), (20, 21, 20), (2, 20, 21), (20, 20, 20),
        (22, 20, 21), (2, 20, 2),
    ]

    @Test(arguments: [HostFeatures.detected, []])
    func generatedCodeComputesWhatTheOperationsMean(features: HostFeatures) throws {
        let machine = try EvaluationMachine(features: features)
        var differences: [String] = []
        let cases = Self.common.flatMap { [($0, Width.bits64), ($0, .bits32)] } + Self.wideOnly.map { ($0, .bits64) }
        for (operation, width) in cases {
            for (d, a, b) in Self.places {
                let code = machine.translate(
                    .binary(operation, width, Slot(d), .slot(Slot(a)), .slot(Slot(b))))
                for x in Self.values {
                    for y in Self.values {
                        let second = a == b ? x : y
                        let found = machine.run(code, a == b ? [a: x] : [a: x, b: y], read: d)
                        let expected = operation.evaluate(x, second, width)
                        if found != expected { differences.append("\(operation) \(width) \((d, a, b)) \(x) \(y)") }
                    }
                }
            }
        }
        #expect(differences == [])
    }

    @Test func constantsAreOperandsLikeOthers() throws {
        let machine = try EvaluationMachine(features: .detected)
        var differences: [String] = []
        for operation in Self.common + Self.wideOnly {
            for y in Self.values {
                for (d, a) in [(2, 2), (3, 2), (20, 20), (20, 21), (2, 20)] as [(UInt8, UInt8)] {
                    machine.forget()
                    let second = machine.translate(
                        .binary(operation, .bits64, Slot(d), .slot(Slot(a)), .constant(y)))
                    let first = machine.translate(
                        .binary(operation, .bits64, Slot(d), .constant(y), .slot(Slot(a))))
                    for x in Self.values {
                        if machine.run(second, [a: x], read: d) != operation.evaluate(x, y, .bits64)
                            || machine.run(first, [a: x], read: d) != operation.evaluate(y, x, .bits64)
                        {
                            differences.append("\(operation) \((d, a)) \(x) \(y)")
                        }
                    }
                }
            }
        }
        #expect(differences == [])
    }
}
