import CFloatReference
import RISCV
import Testing

/// Random operands in every rounding mode, against the host's floating-point unit.
@Suite struct FloatingPointReferenceTests {
    private static let cases = 300_000

    /// Runs both implementations; describes the first few cases in which they differ.
    ///
    /// - Returns: the differences, and all flags that came up.
    private func differences<Format: BinaryFormat>(
        _ format: Format.Type, seed: UInt64,
        ours: (Format.Bits, Format.Bits, Format.Bits, RoundingMode, inout FloatingPointFlags) -> UInt64,
        reference: (Format.Bits, Format.Bits, Format.Bits, Int32) -> reference_result
    ) -> (differences: [String], flags: FloatingPointFlags) {
        var operands = FloatingPointOperands<Format>(seed: seed)
        var found: [String] = []
        var seen: FloatingPointFlags = []
        for _ in 0..<Self.cases where found.count < 5 {
            let (a, b, c) = (operands.next(), operands.next(), operands.next())
            let rounding = operands.rounding()
            var flags: FloatingPointFlags = []
            let value = ours(a, b, c, rounding, &flags)
            seen.formUnion(flags)
            let expected = reference(a, b, c, Int32(rounding.rawValue))
            guard value != expected.value || flags.rawValue != expected.flags else { continue }
            let operands = [a, b, c].map { String($0, radix: 16) }.joined(separator: " ")
            found.append(
                "\(rounding) \(operands): \(String(value, radix: 16)) \(flags.rawValue), "
                    + "not \(String(expected.value, radix: 16)) \(expected.flags)")
        }
        return (found, seen)
    }

    private static let sameFormat = FloatingPointOperation.allCases.filter { $0 != .convert }

    @Test(arguments: sameFormat) func singlePrecisionAgreesWithTheHost(_ operation: FloatingPointOperation) {
        let result = differences(Binary32.self, seed: UInt64(operation.rawValue)) { a, b, c, rounding, flags in
            UInt64(operation.apply(Binary32.self, a, b, c, rounding, &flags))
        } reference: { a, b, c, rounding in
            var expected = reference_32(operation.reference, rounding, a, b, c)
            if operation == .multiplyAdd { expected.flags |= infinityTimesZero(Binary32.self, a, b) }
            return expected
        }
        #expect(result.differences == [])
        #expect(result.flags == operation.possibleFlags)
    }

    @Test(arguments: sameFormat) func doublePrecisionAgreesWithTheHost(_ operation: FloatingPointOperation) {
        let result = differences(Binary64.self, seed: 100 + UInt64(operation.rawValue)) { a, b, c, rounding, flags in
            operation.apply(Binary64.self, a, b, c, rounding, &flags)
        } reference: { a, b, c, rounding in
            var expected = reference_64(operation.reference, rounding, a, b, c)
            if operation == .multiplyAdd { expected.flags |= infinityTimesZero(Binary64.self, a, b) }
            return expected
        }
        #expect(result.differences == [])
        #expect(result.flags == operation.possibleFlags)
    }

    /// IEEE 754-2008, 7.2, leaves it open whether ∞ × 0 + qNaN is invalid. RISC-V says it is; hosts differ.
    private func infinityTimesZero<Format: BinaryFormat>(
        _ format: Format.Type, _ a: Format.Bits, _ b: Format.Bits
    ) -> UInt8 {
        Format.isInfinite(a) && Format.isZero(b) || Format.isZero(a) && Format.isInfinite(b) ? 16 : 0
    }

    @Test func singlePrecisionWidensAsOnTheHost() {
        let result = differences(Binary32.self, seed: 200) { a, _, _, rounding, flags in
            Binary32.convert(a, to: Binary64.self, rounding, &flags)
        } reference: { a, b, c, rounding in
            reference_32(REFERENCE_CONVERT, rounding, a, b, c)
        }
        #expect(result.differences == [])
        #expect(result.flags == .invalid)
    }

    @Test func doublePrecisionNarrowsAsOnTheHost() {
        // Half of the operands are turned into numbers around the range of single precision.
        func narrowed(_ a: UInt64, _ b: UInt64) -> UInt64 {
            let field = UInt64(1023 - 155) + b % 290
            return b & 1 << 40 == 0 ? a : a & ~Binary64.infinity | field << 52
        }
        let result = differences(Binary64.self, seed: 201) { a, b, _, rounding, flags in
            UInt64(Binary64.convert(narrowed(a, b), to: Binary32.self, rounding, &flags))
        } reference: { a, b, c, rounding in
            reference_64(REFERENCE_CONVERT, rounding, narrowed(a, b), b, c)
        }
        #expect(result.differences == [])
        #expect(result.flags == FloatingPointOperation.convert.possibleFlags)
    }

    @Test(arguments: [Int32(32), 64], [true, false])
    func numbersBecomeIntegersAsOnTheHost(_ width: Int32, isSigned: Bool) {
        func converted<Format: BinaryFormat>(
            _ format: Format.Type, _ a: Format.Bits, _ rounding: RoundingMode, _ flags: inout FloatingPointFlags
        ) -> UInt64 {
            switch (width, isSigned) {
            case (32, true): UInt64(bitPattern: Int64(Format.integer(a, as: Int32.self, rounding, &flags)))
            case (32, false): UInt64(Format.integer(a, as: UInt32.self, rounding, &flags))
            case (_, true): UInt64(bitPattern: Format.integer(a, as: Int64.self, rounding, &flags))
            case (_, false): Format.integer(a, as: UInt64.self, rounding, &flags)
            }
        }
        let single = differences(Binary32.self, seed: 202) { a, _, _, rounding, flags in
            converted(Binary32.self, a, rounding, &flags)
        } reference: { a, _, _, rounding in
            reference_32_to_integer(rounding, isSigned ? 1 : 0, width, a)
        }
        #expect(single.differences == [])
        #expect(single.flags == [.inexact, .invalid])
        let double = differences(Binary64.self, seed: 203) { a, _, _, rounding, flags in
            converted(Binary64.self, a, rounding, &flags)
        } reference: { a, _, _, rounding in
            reference_64_to_integer(rounding, isSigned ? 1 : 0, width, a)
        }
        #expect(double.differences == [])
        #expect(double.flags == [.inexact, .invalid])
    }

    @Test func integersBecomeNumbersAsOnTheHost() {
        // Bit patterns of numbers, shifted, are integers of all lengths with many runs of equal bits.
        func wide(_ a: UInt64, _ b: UInt64) -> UInt64 { (a << 1) >> (b % 64) }
        let single = differences(Binary64.self, seed: 204) { a, b, c, rounding, flags in
            UInt64(
                c & 1 == 0
                    ? Binary32.convert(wide(a, b), rounding, &flags)
                    : Binary32.convert(Int64(bitPattern: wide(a, b)), rounding, &flags))
        } reference: { a, b, c, rounding in
            reference_32_from_integer(rounding, Int32(c & 1), wide(a, b))
        }
        #expect(single.differences == [])
        #expect(single.flags == .inexact)
        let double = differences(Binary64.self, seed: 205) { a, b, c, rounding, flags in
            c & 1 == 0
                ? Binary64.convert(wide(a, b), rounding, &flags)
                : Binary64.convert(Int64(bitPattern: wide(a, b)), rounding, &flags)
        } reference: { a, b, c, rounding in
            reference_64_from_integer(rounding, Int32(c & 1), wide(a, b))
        }
        #expect(double.differences == [])
        #expect(double.flags == .inexact)
        let word = differences(Binary32.self, seed: 206) { a, b, _, rounding, flags in
            UInt64(
                b & 1 == 0
                    ? Binary32.convert(a, rounding, &flags)
                    : Binary32.convert(Int32(bitPattern: a), rounding, &flags))
        } reference: { a, b, _, rounding in
            let value = b & 1 == 0 ? UInt64(a) : UInt64(bitPattern: Int64(Int32(bitPattern: a)))
            return reference_32_from_integer(rounding, Int32(b & 1), value)
        }
        #expect(word.differences == [])
        #expect(word.flags == .inexact)
    }
}
