import Testing

@testable import RISCV

/// Rules by name, in single precision unless the format matters: IEEE 754-2008, IEEE 754-2019 9.6, and the chapters of
/// the F and D extensions in the RISC-V Unprivileged ISA.
@Suite struct FloatingPointRuleTests {
    private typealias F = Binary32

    private struct Outcome: Equatable, CustomStringConvertible {
        let bits: UInt32
        let flags: FloatingPointFlags

        init(_ bits: UInt32, _ flags: FloatingPointFlags = []) {
            self.bits = bits
            self.flags = flags
        }

        var description: String { "0x\(String(bits, radix: 16)), flags \(flags.rawValue)" }
    }

    private func outcome(_ operation: (inout FloatingPointFlags) -> UInt32) -> Outcome {
        var flags: FloatingPointFlags = []
        let bits = operation(&flags)
        return Outcome(bits, flags)
    }

    private static let one: UInt32 = 0x3F80_0000
    private static let two: UInt32 = 0x4000_0000
    private static let infinity: UInt32 = 0x7F80_0000
    private static let greatest: UInt32 = 0x7F7F_FFFF
    private static let leastNormal: UInt32 = 0x0080_0000
    private static let quiet: UInt32 = 0x7FC0_1234
    private static let signaling: UInt32 = 0x7F80_1234
    private static let nan: UInt32 = 0x7FC0_0000
    private static let minus: UInt32 = 0x8000_0000

    @Test func canonicalNaNsAreQuietAndPositiveWithoutPayload() {
        #expect(Binary32.canonicalNaN == 0x7FC0_0000)
        #expect(Binary64.canonicalNaN == 0x7FF8_0000_0000_0000)
    }

    @Test func everyArithmeticNaNIsTheCanonicalOneAndOnlySignalingOperandsAreInvalid() {
        let (one, mode) = (Self.one, RISCV.RoundingMode.nearestEven)
        for (operand, flags) in [(Self.quiet | Self.minus, FloatingPointFlags()), (Self.signaling, .invalid)] {
            let expected = Outcome(Self.nan, flags)
            #expect(outcome { F.add(operand, one, mode, &$0) } == expected)
            #expect(outcome { F.add(one, operand, mode, &$0) } == expected)
            #expect(outcome { F.subtract(one, operand, mode, &$0) } == expected)
            #expect(outcome { F.multiply(operand, one, mode, &$0) } == expected)
            #expect(outcome { F.multiply(0, operand, mode, &$0) } == expected)
            #expect(outcome { F.divide(operand, 0, mode, &$0) } == expected)
            #expect(outcome { F.divide(one, operand, mode, &$0) } == expected)
            #expect(outcome { F.squareRoot(operand, mode, &$0) } == expected)
            #expect(outcome { F.multiplyAdd(operand, one, one, mode, &$0) } == expected)
            #expect(outcome { F.multiplyAdd(one, operand, one, mode, &$0) } == expected)
            #expect(outcome { F.multiplyAdd(one, one, operand, mode, &$0) } == expected)
            var narrow: FloatingPointFlags = []
            #expect(F.convert(operand, to: Binary64.self, mode, &narrow) == 0x7FF8_0000_0000_0000)
            #expect(narrow == flags)
        }
        let wide: UInt64 = 0x7FF0_0000_0000_0001
        #expect(outcome { Binary64.convert(wide, to: F.self, mode, &$0) } == Outcome(Self.nan, .invalid))
    }

    @Test func operationsOnInfinitiesAndZerosWithoutAValueAreInvalid() {
        let (infinity, minus, one) = (Self.infinity, Self.minus, Self.one)
        let expected = Outcome(Self.nan, .invalid)
        for mode in RISCV.RoundingMode.allCases {
            #expect(outcome { F.add(infinity, infinity | minus, mode, &$0) } == expected)
            #expect(outcome { F.subtract(infinity, infinity, mode, &$0) } == expected)
            #expect(outcome { F.multiply(infinity, minus, mode, &$0) } == expected)
            #expect(outcome { F.multiply(0, infinity, mode, &$0) } == expected)
            #expect(outcome { F.divide(0, minus, mode, &$0) } == expected)
            #expect(outcome { F.divide(infinity, infinity | minus, mode, &$0) } == expected)
            #expect(outcome { F.squareRoot(one | minus, mode, &$0) } == expected)
            #expect(outcome { F.squareRoot(infinity | minus, mode, &$0) } == expected)
            #expect(outcome { F.multiplyAdd(infinity, one, infinity | minus, mode, &$0) } == expected)
        }
    }

    @Test func infinitiesAreExactOtherwise() {
        let (infinity, minus, one, mode) = (Self.infinity, Self.minus, Self.one, RISCV.RoundingMode.nearestEven)
        #expect(outcome { F.add(infinity, infinity, mode, &$0) } == Outcome(infinity))
        #expect(outcome { F.add(one, infinity | minus, mode, &$0) } == Outcome(infinity | minus))
        #expect(outcome { F.multiply(infinity, one | minus, mode, &$0) } == Outcome(infinity | minus))
        #expect(outcome { F.divide(infinity, 0, mode, &$0) } == Outcome(infinity))
        #expect(outcome { F.divide(one | minus, infinity, mode, &$0) } == Outcome(minus))
        #expect(outcome { F.squareRoot(infinity, mode, &$0) } == Outcome(infinity))
        #expect(outcome { F.multiplyAdd(one, one, infinity, mode, &$0) } == Outcome(infinity))
        #expect(outcome { F.multiplyAdd(infinity, one, infinity, mode, &$0) } == Outcome(infinity))
        #expect(outcome { Binary64.convert(0xFFF0_0000_0000_0000, to: F.self, mode, &$0) } == Outcome(0xFF80_0000))
    }

    @Test func infinityTimesZeroIsInvalidEvenWhenAQuietNaNIsAdded() {
        let (infinity, mode) = (Self.infinity, RISCV.RoundingMode.nearestEven)
        #expect(outcome { F.multiplyAdd(infinity, 0, Self.quiet, mode, &$0) } == Outcome(Self.nan, .invalid))
        #expect(outcome { F.multiplyAdd(0, infinity, Self.quiet, mode, &$0) } == Outcome(Self.nan, .invalid))
        #expect(outcome { F.multiplyAdd(infinity, 0, Self.one, mode, &$0) } == Outcome(Self.nan, .invalid))
        #expect(outcome { F.multiplyAdd(infinity, Self.one, Self.quiet, mode, &$0) } == Outcome(Self.nan))
    }

    @Test func divisionOfANumberByZeroIsNotInvalidButDivideByZero() {
        for mode in RISCV.RoundingMode.allCases {
            #expect(outcome { F.divide(Self.one, 0, mode, &$0) } == Outcome(Self.infinity, .divideByZero))
            #expect(outcome { F.divide(1, Self.minus, mode, &$0) } == Outcome(0xFF80_0000, .divideByZero))
        }
    }

    @Test func anExactZeroSumIsPositiveUnlessRoundingDown() {
        let (one, minus) = (Self.one, Self.minus)
        for mode in RISCV.RoundingMode.allCases {
            let zero = Outcome(mode == .down ? minus : 0)
            #expect(outcome { F.subtract(one, one, mode, &$0) } == zero)
            #expect(outcome { F.add(0, minus, mode, &$0) } == zero)
            #expect(outcome { F.add(minus, 0, mode, &$0) } == zero)
            #expect(outcome { F.multiplyAdd(one, one, one | minus, mode, &$0) } == zero)
            #expect(outcome { F.multiplyAdd(0, one, minus, mode, &$0) } == zero)
            // Zeros of the same sign keep it, as do products and roots.
            #expect(outcome { F.add(minus, minus, mode, &$0) } == Outcome(minus))
            #expect(outcome { F.add(0, 0, mode, &$0) } == Outcome(0))
            #expect(outcome { F.multiplyAdd(minus, one, minus, mode, &$0) } == Outcome(minus))
            #expect(outcome { F.multiply(minus, one, mode, &$0) } == Outcome(minus))
            #expect(outcome { F.divide(0, one | minus, mode, &$0) } == Outcome(minus))
            #expect(outcome { F.squareRoot(minus, mode, &$0) } == Outcome(minus))
        }
    }

    @Test func tiesGoToTheEvenNumberOrAwayFromZero() {
        // 1 + 2^-24 lies in the middle of 1 and the next number, 1 + 3 × 2^-24 in that of the next two.
        let tie: UInt32 = 0x3380_0000
        let expected: [RISCV.RoundingMode: UInt32] = [
            .nearestEven: 0x3F80_0000, .towardZero: 0x3F80_0000, .down: 0x3F80_0000, .up: 0x3F80_0001,
            .nearestAway: 0x3F80_0001,
        ]
        for (mode, bits) in expected {
            #expect(outcome { F.add(Self.one, tie, mode, &$0) } == Outcome(bits, .inexact))
        }
        let odd: [RISCV.RoundingMode: UInt32] = [
            .nearestEven: 0xBF80_0002, .towardZero: 0xBF80_0001, .down: 0xBF80_0002, .up: 0xBF80_0001,
            .nearestAway: 0xBF80_0002,
        ]
        for (mode, bits) in odd {
            #expect(outcome { F.subtract(0xBF80_0001, tie, mode, &$0) } == Outcome(bits, .inexact))
        }
        // Half of the least subnormal number.
        let half: [RISCV.RoundingMode: UInt32] = [.nearestEven: 0, .towardZero: 0, .down: 0, .up: 1, .nearestAway: 1]
        for (mode, bits) in half {
            #expect(outcome { F.multiply(1, 0x3F00_0000, mode, &$0) } == Outcome(bits, [.inexact, .underflow]))
        }
    }

    @Test func overflowGivesInfinityOrTheGreatestNumberByTheDirection() {
        let (greatest, infinity, minus) = (Self.greatest, Self.infinity, Self.minus)
        let positive: [RISCV.RoundingMode: UInt32] = [
            .nearestEven: infinity, .towardZero: greatest, .down: greatest, .up: infinity, .nearestAway: infinity,
        ]
        let negative: [RISCV.RoundingMode: UInt32] = [
            .nearestEven: infinity, .towardZero: greatest, .down: infinity, .up: greatest, .nearestAway: infinity,
        ]
        for mode in RISCV.RoundingMode.allCases {
            let flags: FloatingPointFlags = [.overflow, .inexact]
            #expect(outcome { F.add(greatest, greatest, mode, &$0) } == Outcome(positive[mode]!, flags))
            let product = outcome { F.multiply(greatest | minus, Self.two, mode, &$0) }
            #expect(product == Outcome(negative[mode]! | minus, flags))
        }
        // Half a unit beyond the greatest number is the least that overflows to nearest; less than that does not.
        let halfUnit: UInt32 = 0x7300_0000
        let atTie = Outcome(infinity, [.overflow, .inexact])
        #expect(outcome { F.add(greatest, halfUnit, .nearestEven, &$0) } == atTie)
        #expect(outcome { F.add(greatest, halfUnit, .nearestAway, &$0) } == atTie)
        #expect(outcome { F.add(greatest, halfUnit - 1, .nearestEven, &$0) } == Outcome(greatest, .inexact))
        #expect(outcome { F.add(greatest, halfUnit - 1, .nearestAway, &$0) } == Outcome(greatest, .inexact))
    }

    @Test func tininessIsDetectedAfterRounding() {
        // (1 - 2^-24) × the least normal number is in the middle of two subnormals' spacing, and exact with 24 bits.
        let below = 0x3F7F_FFFF as UInt32
        let tiny: FloatingPointFlags = [.inexact, .underflow]
        #expect(outcome { F.multiply(Self.leastNormal, below, .nearestEven, &$0) } == Outcome(0x0080_0000, tiny))
        #expect(outcome { F.multiply(Self.leastNormal, below, .nearestAway, &$0) } == Outcome(0x0080_0000, tiny))
        #expect(outcome { F.multiply(Self.leastNormal, below, .towardZero, &$0) } == Outcome(0x007F_FFFF, tiny))
        // (1 - 2^-25) × the same: with 24 bits it rounds to the least normal number, and so is not tiny.
        let narrow = { (mode: RISCV.RoundingMode) in
            self.outcome { Binary64.convert(0x380F_FFFF_F000_0000, to: F.self, mode, &$0) }
        }
        #expect(narrow(.nearestEven) == Outcome(0x0080_0000, .inexact))
        #expect(narrow(.up) == Outcome(0x0080_0000, .inexact))
        #expect(narrow(.nearestAway) == Outcome(0x0080_0000, .inexact))
        #expect(narrow(.towardZero) == Outcome(0x007F_FFFF, tiny))
        #expect(narrow(.down) == Outcome(0x007F_FFFF, tiny))
    }

    @Test func exactSubnormalResultsDoNotUnderflow() {
        #expect(outcome { F.multiply(Self.leastNormal, 0x3F00_0000, .nearestEven, &$0) } == Outcome(0x0040_0000))
        #expect(outcome { F.subtract(Self.leastNormal, 1, .nearestEven, &$0) } == Outcome(0x007F_FFFF))
        #expect(outcome { F.add(0x007F_FFFF, 1, .nearestEven, &$0) } == Outcome(0x0080_0000))
    }

    @Test func fusedMultiplyAddRoundsOnce() {
        // (1 + 2^-23)² - (1 + 2^-22) = 2^-46, which a rounded product loses.
        let a: UInt32 = 0x3F80_0001
        #expect(outcome { F.multiplyAdd(a, a, 0xBF80_0002, .nearestEven, &$0) } == Outcome(0x2880_0000))
        // (1 + 2^-52)² - (1 + 2^-51) = 2^-104
        var flags: FloatingPointFlags = []
        let b: UInt64 = 0x3FF0_0000_0000_0001
        #expect(Binary64.multiplyAdd(b, b, 0xBFF0_0000_0000_0002, .nearestEven, &flags) == 0x3970_0000_0000_0000)
        #expect(flags == [])
        // A product far below the addend still decides the direction.
        #expect(outcome { F.multiplyAdd(1, 1, Self.one, .up, &$0) } == Outcome(0x3F80_0001, .inexact))
        #expect(outcome { F.multiplyAdd(1, Self.minus | 1, Self.one, .down, &$0) } == Outcome(0x3F7F_FFFF, .inexact))
        // A subnormal addend to a zero product comes back as it is.
        #expect(outcome { F.multiplyAdd(0, Self.one, 3, .nearestEven, &$0) } == Outcome(3))
    }

    @Test func minimumAndMaximumPreferNumbersAndOrderZeros() {
        let (minus, one, quiet) = (Self.minus, Self.one, Self.quiet)
        #expect(outcome { F.minimum(0, minus, &$0) } == Outcome(minus))
        #expect(outcome { F.minimum(minus, 0, &$0) } == Outcome(minus))
        #expect(outcome { F.maximum(0, minus, &$0) } == Outcome(0))
        #expect(outcome { F.maximum(minus, 0, &$0) } == Outcome(0))
        for operation in [F.minimum, F.maximum] {
            #expect(outcome { operation(one, quiet, &$0) } == Outcome(one))
            #expect(outcome { operation(quiet, one, &$0) } == Outcome(one))
            #expect(outcome { operation(Self.signaling, one, &$0) } == Outcome(one, .invalid))
            #expect(outcome { operation(one, Self.signaling, &$0) } == Outcome(one, .invalid))
            #expect(outcome { operation(quiet, quiet | minus, &$0) } == Outcome(Self.nan))
            #expect(outcome { operation(quiet, Self.signaling, &$0) } == Outcome(Self.nan, .invalid))
        }
        #expect(outcome { F.minimum(one, one | minus, &$0) } == Outcome(one | minus))
        #expect(outcome { F.maximum(one, one | minus, &$0) } == Outcome(one))
        #expect(outcome { F.minimum(one | minus, Self.two | minus, &$0) } == Outcome(Self.two | minus))
        #expect(outcome { F.maximum(one | minus, Self.two | minus, &$0) } == Outcome(one | minus))
        #expect(outcome { F.minimum(Self.infinity, one, &$0) } == Outcome(one))
        #expect(outcome { F.maximum(Self.infinity | minus, 1 | minus, &$0) } == Outcome(1 | minus))
    }
}
