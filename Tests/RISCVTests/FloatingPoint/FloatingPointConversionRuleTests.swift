import Testing

@testable import RISCV

/// Comparisons, classes, signs and integers, by the tables of the F and D extensions' chapters.
@Suite struct FloatingPointConversionRuleTests {
    private typealias F = Binary32
    private typealias D = Binary64

    private func flags(_ operation: (inout FloatingPointFlags) -> Bool) -> (Bool, FloatingPointFlags) {
        var flags: FloatingPointFlags = []
        let result = operation(&flags)
        return (result, flags)
    }

    @Test func equalityIsQuietAndTheOtherComparisonsSignal() {
        let (one, quiet, signaling) = (0x3F80_0000, 0xFFC0_0001, 0x7F80_0001) as (UInt32, UInt32, UInt32)
        for (a, b) in [(one, quiet), (quiet, one), (quiet, quiet)] {
            #expect(flags { F.isEqual(a, b, &$0) } == (false, []))
            #expect(flags { F.isLess(a, b, &$0) } == (false, .invalid))
            #expect(flags { F.isLessOrEqual(a, b, &$0) } == (false, .invalid))
        }
        for (a, b) in [(one, signaling), (signaling, one), (quiet, signaling)] {
            #expect(flags { F.isEqual(a, b, &$0) } == (false, .invalid))
            #expect(flags { F.isLess(a, b, &$0) } == (false, .invalid))
            #expect(flags { F.isLessOrEqual(a, b, &$0) } == (false, .invalid))
        }
    }

    @Test func zerosOfBothSignsAreEqual() {
        for (a, b) in [(0, 0x8000_0000), (0x8000_0000, 0)] as [(UInt32, UInt32)] {
            #expect(flags { F.isEqual(a, b, &$0) } == (true, []))
            #expect(flags { F.isLess(a, b, &$0) } == (false, []))
            #expect(flags { F.isLessOrEqual(a, b, &$0) } == (true, []))
        }
    }

    @Test func classesAreThoseOfTheTable() {
        let single: [(UInt32, UInt64)] = [
            (0xFF80_0000, 1 << 0), (0xFF7F_FFFF, 1 << 1), (0x8080_0000, 1 << 1), (0x807F_FFFF, 1 << 2),
            (0x8000_0001, 1 << 2), (0x8000_0000, 1 << 3), (0, 1 << 4), (1, 1 << 5), (0x007F_FFFF, 1 << 5),
            (0x0080_0000, 1 << 6), (0x7F7F_FFFF, 1 << 6), (0x7F80_0000, 1 << 7), (0x7F80_0001, 1 << 8),
            (0xFFBF_FFFF, 1 << 8), (0x7FC0_0000, 1 << 9), (0xFFFF_FFFF, 1 << 9),
        ]
        for (bits, expected) in single { #expect(F.classify(bits) == expected) }
        let double: [(UInt64, UInt64)] = [
            (0xFFF0_0000_0000_0000, 1 << 0), (0xBFF0_0000_0000_0000, 1 << 1), (0x800F_FFFF_FFFF_FFFF, 1 << 2),
            (0x8000_0000_0000_0000, 1 << 3), (0, 1 << 4), (1, 1 << 5), (0x0010_0000_0000_0000, 1 << 6),
            (0x7FF0_0000_0000_0000, 1 << 7), (0x7FF0_0000_0000_0001, 1 << 8), (0xFFF8_0000_0000_0000, 1 << 9),
        ]
        for (bits, expected) in double { #expect(D.classify(bits) == expected) }
    }

    @Test func signInjectionTakesOnlyTheSignAndKeepsNaNs() {
        let (nan, minusTwo, two) = (0x7F80_0001, 0xC000_0000, 0x4000_0000) as (UInt32, UInt32, UInt32)
        #expect(F.copySign(nan, from: minusTwo) == 0xFF80_0001)
        #expect(F.copySign(minusTwo, from: two) == two)
        #expect(F.copyNegatedSign(two, from: two) == minusTwo)
        #expect(F.copyNegatedSign(nan, from: minusTwo) == nan)
        #expect(F.multiplySign(minusTwo, by: minusTwo) == two)
        #expect(F.multiplySign(nan, by: minusTwo) == 0xFF80_0001)
        #expect(D.multiplySign(0xBFF0_0000_0000_0000, by: 0) == 0xBFF0_0000_0000_0000)
    }

    /// A conversion to a type of integer, its operand, and what comes of it.
    private func expectInteger<Integer: FixedWidthInteger & Sendable>(
        _ operand: UInt64, _ rounding: RISCV.RoundingMode, _ value: Integer, _ flags: FloatingPointFlags,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var raised: FloatingPointFlags = []
        let result = D.integer(operand, as: Integer.self, rounding, &raised)
        #expect(result == value, sourceLocation: sourceLocation)
        #expect(raised == flags, sourceLocation: sourceLocation)
    }

    @Test func integersSaturateAndOutOfRangeIsInvalidNotInexact() {
        let infinity = D.infinity
        let nans: [UInt64] = [0x7FF8_0000_0000_0000, 0xFFF8_0000_0000_0000, 0x7FF0_0000_0000_0001]
        for operand in nans + [infinity, 0x7FEF_FFFF_FFFF_FFFF] {
            expectInteger(operand, .nearestEven, Int32.max, .invalid)
            expectInteger(operand, .nearestEven, UInt32.max, .invalid)
            expectInteger(operand, .nearestEven, Int64.max, .invalid)
            expectInteger(operand, .nearestEven, UInt64.max, .invalid)
        }
        for operand in [infinity | D.signBit, 0xFFEF_FFFF_FFFF_FFFF] {
            expectInteger(operand, .nearestEven, Int32.min, .invalid)
            expectInteger(operand, .nearestEven, UInt32.min, .invalid)
            expectInteger(operand, .nearestEven, Int64.min, .invalid)
            expectInteger(operand, .nearestEven, UInt64.min, .invalid)
        }
    }

    @Test func theBoundsOfIntegersAreJudgedAfterRounding() {
        // 2^31 - 1/2 and 2^31 - 1/4
        expectInteger(0x41DF_FFFF_FFE0_0000, .towardZero, Int32.max, .inexact)
        expectInteger(0x41DF_FFFF_FFE0_0000, .nearestEven, Int32.max, .invalid)
        expectInteger(0x41DF_FFFF_FFE0_0000, .nearestAway, Int32.max, .invalid)
        expectInteger(0x41DF_FFFF_FFF0_0000, .down, Int32.max, .inexact)
        expectInteger(0x41DF_FFFF_FFC0_0000, .up, Int32.max, [])
        // -2^31, -2^31 - 1/2, -2^31 - 1
        expectInteger(0xC1E0_0000_0000_0000, .nearestEven, Int32.min, [])
        expectInteger(0xC1E0_0000_0010_0000, .nearestEven, Int32.min, .inexact)
        expectInteger(0xC1E0_0000_0010_0000, .nearestAway, Int32.min, .invalid)
        expectInteger(0xC1E0_0000_0020_0000, .up, Int32.min, .invalid)
        // 2^32, -1/2, -3/4, -1
        expectInteger(0x41F0_0000_0000_0000, .towardZero, UInt32.max, .invalid)
        expectInteger(0xBFE0_0000_0000_0000, .nearestEven, UInt32.min, .inexact)
        expectInteger(0xBFE0_0000_0000_0000, .nearestAway, UInt32.min, .invalid)
        expectInteger(0xBFE8_0000_0000_0000, .towardZero, UInt32.min, .inexact)
        expectInteger(0xBFE8_0000_0000_0000, .nearestEven, UInt32.min, .invalid)
        expectInteger(0xBFF0_0000_0000_0000, .towardZero, UInt32.min, .invalid)
        // 2^63, its predecessor, -2^63; 2^64, its predecessor
        expectInteger(0x43E0_0000_0000_0000, .towardZero, Int64.max, .invalid)
        expectInteger(0x43DF_FFFF_FFFF_FFFF, .up, Int64.max - 1023, [])
        expectInteger(0xC3E0_0000_0000_0000, .down, Int64.min, [])
        expectInteger(0xC3E0_0000_0000_0001, .up, Int64.min, .invalid)
        expectInteger(0x43F0_0000_0000_0000, .towardZero, UInt64.max, .invalid)
        expectInteger(0x43EF_FFFF_FFFF_FFFF, .up, UInt64.max - 2047, [])
        // Tiny numbers.
        expectInteger(1, .up, Int64(1), .inexact)
        expectInteger(1, .nearestAway, Int64(0), .inexact)
        expectInteger(1 | D.signBit, .down, Int32(-1), .inexact)
        expectInteger(1 | D.signBit, .down, UInt64(0), .invalid)
    }

    @Test func halvesRoundByTheMode() {
        // 2.5, -2.5 and 3.5
        let expected: [(RISCV.RoundingMode, Int32, Int32, Int32)] = [
            (.nearestEven, 2, -2, 4), (.towardZero, 2, -2, 3), (.down, 2, -3, 3), (.up, 3, -2, 4),
            (.nearestAway, 3, -3, 4),
        ]
        for (mode, twoAndHalf, negative, threeAndHalf) in expected {
            expectInteger(0x4004_0000_0000_0000, mode, twoAndHalf, .inexact)
            expectInteger(0xC004_0000_0000_0000, mode, negative, .inexact)
            expectInteger(0x400C_0000_0000_0000, mode, threeAndHalf, .inexact)
        }
    }

    @Test func integersThatDoNotFitTheSignificandAreRounded() {
        var flags: FloatingPointFlags = []
        #expect(F.convert(UInt32.max, .nearestEven, &flags) == 0x4F80_0000)
        #expect(flags == .inexact)
        #expect(F.convert(UInt32.max, .towardZero, &flags) == 0x4F7F_FFFF)
        flags = []
        #expect(F.convert(Int32.min, .up, &flags) == 0xCF00_0000)
        #expect(D.convert(Int64.min, .up, &flags) == 0xC3E0_0000_0000_0000)
        #expect(D.convert(UInt32.max, .nearestEven, &flags) == 0x41EF_FFFF_FFE0_0000)
        #expect(D.convert(Int64(0), .down, &flags) == 0)
        #expect(flags == [])
        // 2^53 + 1 is a tie.
        #expect(D.convert(Int64(1) << 53 + 1, .nearestEven, &flags) == 0x4340_0000_0000_0000)
        #expect(D.convert(Int64(1) << 53 + 1, .nearestAway, &flags) == 0x4340_0000_0000_0001)
        #expect(D.convert(-(Int64(1) << 53) - 1, .nearestAway, &flags) == 0xC340_0000_0000_0001)
        #expect(D.convert(UInt64.max, .nearestEven, &flags) == 0x43F0_0000_0000_0000)
        #expect(flags == .inexact)
    }
}
