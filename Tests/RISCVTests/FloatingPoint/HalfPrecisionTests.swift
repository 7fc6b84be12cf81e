import Foundation
import Testing

@testable import RISCV

/// The conversions of Zfhmin for every half-precision number and all that lies beside one, against arithmetic of the host in double precision,
/// which holds half-precision numbers and what is between them exactly.
@Suite struct HalfPrecisionTests {
    private static let modes: [FloatingPointRoundingRule] = [
        .toNearestOrEven, .towardZero, .down, .up, .toNearestOrAwayFromZero,
    ]

    /// The number that 16 bits stand for (IEEE 754-2008, 3.4).
    private func number(_ bits: UInt16) -> Double {
        let (field, fraction) = (Int(bits >> 10 & 31), Double(bits & 0x3FF))
        let magnitude =
            switch field {
            case 31: fraction == 0 ? Double.infinity : Double.nan
            case 0: scalbn(fraction, -24)
            default: scalbn(1024 + fraction, field - 25)
            }
        return bits >> 15 == 1 ? -magnitude : magnitude
    }

    /// The half-precision number of a finite number, and the flags.
    private func narrowed(_ value: Double, _ mode: FloatingPointRoundingRule) -> (
        bits: UInt16, flags: FloatingPointFlags
    ) {
        let sign: UInt16 = value.sign == .minus ? 0x8000 : 0
        if value == 0 { return (sign, []) }
        // Everything below a sixteenth of the least number is rounded alike.
        let close = abs(value) < scalbn(1, -28) ? (sign == 0 ? 1 : -1) * scalbn(1, -28) : value
        func rounded(to quantum: Int) -> Double { scalbn(scalbn(close, -quantum).rounded(mode), quantum) }
        let exponent = Int(close.exponent)
        let isTiny = abs(rounded(to: exponent - 10)) < scalbn(1, -14)
        let result = rounded(to: max(exponent - 10, -24))
        if abs(result) > 65504 {
            let isInfinite =
                switch mode {
                case .towardZero: false
                case .up: sign == 0
                case .down: sign != 0
                default: true
                }
            return (sign | (isInfinite ? 0x7C00 : 0x7BFF), [.overflow, .inexact])
        }
        let flags: FloatingPointFlags = result == value ? [] : isTiny ? [.underflow, .inexact] : .inexact
        if result == 0 { return (sign, flags) }
        let magnitude = abs(result)
        if magnitude < scalbn(1, -14) { return (sign | UInt16(scalbn(magnitude, 24)), flags) }
        let field = Int(magnitude.exponent) + 15
        return (sign | UInt16(field << 10 + Int(scalbn(magnitude, 25 - field)) - 1024), flags)
    }

    /// Numbers at each half-precision one, between it and the next, and beside both places.
    private func neighbours(_ bits: UInt16) -> [Double] {
        let low = number(bits)
        let high = bits & 0x7FFF == 0x7BFF ? 2 * low - number(bits - 1) : number(bits + 1)
        let middle = (low + high) / 2
        return [low, low.nextUp, low.nextDown, middle, middle.nextUp, middle.nextDown]
    }

    @Test(arguments: ["fcvt.s.h", "fcvt.d.h"])
    func everyNumberIsWidenedExactly(_ name: String) throws {
        let instruction = try SingleInstruction(name)
        let state = instruction.hart.state
        var wrong: [UInt16] = []
        for bits in 0...UInt16.max {
            state.pointee.f[10] = 0xFFFF_FFFF_FFFF_0000 | UInt64(bits)
            state.pointee.csr.fflags = 0
            let executed = instruction.execute()
            let value = number(bits)
            let isSignaling = value.isNaN && bits & 0x200 == 0
            let single = value.isNaN ? 0x7FC0_0000 : Float(value).bitPattern
            let double = value.isNaN ? 0x7FF8_0000_0000_0000 : value.bitPattern
            let expected = name == "fcvt.d.h" ? double : 0xFFFF_FFFF_0000_0000 | UInt64(single)
            let isRight =
                executed && state.pointee.f[13] == expected && state.pointee.csr.fflags == (isSignaling ? 16 : 0)
            if !isRight { wrong.append(bits) }
        }
        #expect(wrong == [])
    }

    @Test(arguments: 0..<5)
    func doublesAreNarrowedWithOneRounding(mode: Int) throws {
        let instruction = try SingleInstruction("fcvt.h.d")
        let values = (0...0x7BFF as ClosedRange<UInt16>).flatMap { neighbours($0) + neighbours($0 | 0x8000) }
        let extremes = [
            65536, 131072, 1e300, .greatestFiniteMagnitude, .leastNonzeroMagnitude, 1e-300, 0x1p-25, 0x1p-26,
        ]
        let wrong = (values + extremes + extremes.map { -$0 }).filter { value in
            !isNarrowed(instruction, value.bitPattern, value, mode)
        }
        #expect(wrong.prefix(5) == [])
    }

    @Test(arguments: 0..<5)
    func singlesAreNarrowedWithOneRounding(mode: Int) throws {
        let instruction = try SingleInstruction("fcvt.h.s")
        let values = (0...0x7BFF as ClosedRange<UInt16>).flatMap { bits in
            [bits, bits | 0x8000].flatMap { bits -> [Float] in
                let all = neighbours(bits)
                let (low, middle) = (Float(all[0]), Float(all[3]))
                return [low, low.nextUp, low.nextDown, middle, middle.nextUp, middle.nextDown]
            }
        }
        let extremes: [Float] = [
            65536, 1e38, .greatestFiniteMagnitude, .leastNonzeroMagnitude, 1e-38, 0x1p-25, 0x1p-26,
        ]
        let wrong = (values + extremes + extremes.map { -$0 }).filter { value in
            !isNarrowed(instruction, 0xFFFF_FFFF_0000_0000 | UInt64(value.bitPattern), Double(value), mode)
        }
        #expect(wrong.prefix(5) == [])
    }

    /// Executes a conversion of the register's bits, which stand for `value`.
    private func isNarrowed(_ instruction: SingleInstruction, _ register: UInt64, _ value: Double, _ mode: Int) -> Bool
    {
        let state = instruction.hart.state
        state.pointee.f[10] = register
        state.pointee.csr.fflags = 0
        let expected = narrowed(value, Self.modes[mode])
        return instruction.execute(rounding: mode)
            && state.pointee.f[13] == 0xFFFF_FFFF_FFFF_0000 | UInt64(expected.bits)
            && state.pointee.csr.fflags == expected.flags.rawValue
    }

    @Test func infinitiesAndNaNsAreNarrowedToTheirLike() throws {
        for (name, bits, half, flags) in [
            ("fcvt.h.d", 0x7FF0_0000_0000_0000, 0x7C00, 0), ("fcvt.h.d", 0xFFF0_0000_0000_0000, 0xFC00, 0),
            ("fcvt.h.d", 0xFFF8_0000_0000_0001, 0x7E00, 0), ("fcvt.h.d", 0x7FF0_0000_0000_0001, 0x7E00, 16),
            ("fcvt.h.s", 0xFFFF_FFFF_FF80_0000, 0xFC00, 0), ("fcvt.h.s", 0xFFFF_FFFF_7F80_0001, 0x7E00, 16),
            // A single that is not boxed.
            ("fcvt.h.s", 0xFFFF_FFFE_3F80_0000, 0x7E00, 0),
        ] as [(String, UInt64, UInt64, UInt8)] {
            let instruction = try SingleInstruction(name)
            instruction.hart[float: 10] = bits
            #expect(instruction.execute())
            #expect(instruction.hart[float: 13] == 0xFFFF_FFFF_FFFF_0000 | half)
            #expect(instruction.hart.state.pointee.csr.fflags == flags)
        }
    }

    @Test(arguments: ["fcvt.s.h", "fcvt.d.h", "fcvt.h.s", "fcvt.h.d"])
    func reservedRoundingModesAreIllegalAlsoWhereNothingIsRounded(_ name: String) throws {
        let instruction = try SingleInstruction(name)
        for field in [5, 6] { #expect(!instruction.execute(rounding: field)) }
        instruction.hart.writeCSR(CSR.frm, 5)
        #expect(!instruction.execute(rounding: 7))
        #expect(instruction.hart.readCSR(CSR.mcause) == 2)
    }
}
