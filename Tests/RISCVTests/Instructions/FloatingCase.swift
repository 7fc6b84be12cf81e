/// Floating-point values of the tables: IEEE 754 encodings by name.
enum Single {
    static let zero: UInt32 = 0, minusZero: UInt32 = 0x8000_0000
    static let one: UInt32 = 0x3f80_0000, minusOne: UInt32 = 0xbf80_0000
    static let two: UInt32 = 0x4000_0000, three: UInt32 = 0x4040_0000, half: UInt32 = 0x3f00_0000
    static let infinity: UInt32 = 0x7f80_0000, minusInfinity: UInt32 = 0xff80_0000
    static let quiet: UInt32 = 0x7fc0_0000, signaling: UInt32 = 0x7f80_0001
    static let quietPayload: UInt32 = 0xffc1_2345
    static let largest: UInt32 = 0x7f7f_ffff, smallestNormal: UInt32 = 0x0080_0000, smallest: UInt32 = 1
}

enum Double64 {
    static let zero: UInt64 = 0, minusZero: UInt64 = 0x8000_0000_0000_0000
    static let one: UInt64 = 0x3ff0_0000_0000_0000, minusOne: UInt64 = 0xbff0_0000_0000_0000
    static let two: UInt64 = 0x4000_0000_0000_0000, three: UInt64 = 0x4008_0000_0000_0000
    static let half: UInt64 = 0x3fe0_0000_0000_0000
    static let infinity: UInt64 = 0x7ff0_0000_0000_0000, minusInfinity: UInt64 = 0xfff0_0000_0000_0000
    static let quiet: UInt64 = 0x7ff8_0000_0000_0000, signaling: UInt64 = 0x7ff0_0000_0000_0001
    static let quietPayload: UInt64 = 0xfff8_1234_5678_9abc
    static let largest: UInt64 = 0x7fef_ffff_ffff_ffff, smallestNormal: UInt64 = 0x0010_0000_0000_0000
    static let smallest: UInt64 = 1
}

/// The accrued exceptions of fcsr (Unprivileged ISA 20.2).
enum Flags {
    static let none: UInt64 = 0, nx: UInt64 = 1, uf: UInt64 = 2, of: UInt64 = 4, dz: UInt64 = 8, nv: UInt64 = 16
}

enum RoundingName: UInt64, CaseIterable {
    case rne = 0, rtz, rdn, rup, rmm
}

/// Table lines for floating-point forms. Single values are boxed; a rounding mode is tried both in the instruction and
/// through frm.
enum FloatingCases {
    static func box(_ bits: UInt32) -> UInt64 { 0xffff_ffff_0000_0000 | UInt64(bits) }

    /// fa0 from fa1 and perhaps fa2 and fa3.
    static func arithmetic(
        _ mnemonic: String, _ sources: [UInt64], _ result: UInt64, _ flags: UInt64, _ mode: RoundingName? = nil
    ) -> [InstructionCase] {
        let operands = ["fa1", "fa2", "fa3"].prefix(sources.count).joined(separator: ", ")
        func one(_ suffix: String, frm: UInt64) -> InstructionCase {
            var one = InstructionCase("\(mnemonic) fa0, \(operands)\(suffix)")
            for (index, source) in sources.enumerated() { one.f[Register.fa1 + index] = source }
            one.expectedF = [Register.fa0: result]
            one.fcsr = frm << 5
            one.expectedFCSR = frm << 5 | flags
            return one
        }
        guard let mode else { return [one("", frm: 0)] }
        // The other mode in frm shows that the instruction's own counts.
        let other: UInt64 = mode == .rtz ? 3 : 1
        return [one(", \(mode)", frm: other), one(", dyn", frm: mode.rawValue)]
    }

    static func box(half: UInt16) -> UInt64 { 0xffff_ffff_ffff_0000 | UInt64(half) }

    static func single(
        _ mnemonic: String, _ sources: [UInt32], _ result: UInt32, _ flags: UInt64, _ mode: RoundingName? = nil
    ) -> [InstructionCase] {
        arithmetic(mnemonic, sources.map(box), box(result), flags, mode)
    }

    static func double(
        _ mnemonic: String, _ sources: [UInt64], _ result: UInt64, _ flags: UInt64, _ mode: RoundingName? = nil
    ) -> [InstructionCase] {
        arithmetic(mnemonic, sources, result, flags, mode)
    }

    /// a0 from floating-point sources: comparisons, classification, moves, conversions.
    static func toInteger(
        _ mnemonic: String, _ sources: [UInt64], _ result: UInt64, _ flags: UInt64, _ mode: RoundingName? = nil
    ) -> [InstructionCase] {
        let operands = ["fa1", "fa2"].prefix(sources.count).joined(separator: ", ")
        var one = InstructionCase("\(mnemonic) a0, \(operands)\(mode.map { ", \($0)" } ?? "")")
        for (index, source) in sources.enumerated() { one.f[Register.fa1 + index] = source }
        one.expectedX = [Register.a0: .constant(result)]
        // Flags accumulate: those that are set stay set.
        one.fcsr = 0
        one.expectedFCSR = flags
        var discarded = one
        discarded.text = discarded.text.replacing("a0, ", with: "x0, ")
        discarded.expectedX = [:]
        return [one, discarded]
    }

    /// fa0 from a1.
    static func fromInteger(
        _ mnemonic: String, _ source: UInt64, _ result: UInt64, _ flags: UInt64, _ mode: RoundingName? = nil
    ) -> [InstructionCase] {
        var one = InstructionCase("\(mnemonic) fa0, a1\(mode.map { ", \($0)" } ?? "")")
        one.x = [Register.a1: .constant(source)]
        one.expectedF = [Register.fa0: result]
        one.expectedFCSR = flags
        return [one]
    }
}
