/// One or a few instructions, what they start from, and everything they may change, written from the specification.
///
/// Registers that a case does not name start with a pattern and must keep it; so must the memory around s0.
struct InstructionCase: Sendable, CustomStringConvertible {
    struct ExpectedTrap: Equatable {
        var cause: UInt64
        /// Bytes from the first instruction.
        var offset: UInt64
        var tval: Value
    }

    /// A value that may depend on where the case lies.
    enum Value: Equatable {
        case constant(UInt64)
        /// Relative to the first instruction.
        case code(Int64)
        /// Relative to s0.
        case scratch(Int64)
    }

    /// Assembly; local numeric labels are free to use.
    var text: String
    var x: [Int: Value] = [:]
    var f: [Int: UInt64] = [:]
    var fcsr: UInt64 = 0
    /// Bytes at s0 before.
    var memory: [UInt8] = []
    /// Assembles compressed instructions where they fit; otherwise only what the text asks for.
    var compressed = false
    var needs: GuestFeature?

    var expectedX: [Int: Value] = [:]
    var expectedF: [Int: UInt64] = [:]
    var expectedFCSR: UInt64?
    /// Bytes at s0 after; nil: unchanged.
    var expectedMemory: [UInt8]?
    var expectedTraps: [ExpectedTrap] = []

    init(_ text: String) { self.text = text }

    var description: String { text }

    static let scratchOffset = CaseBlock.scratch + 0x400
    static func pattern(x number: Int) -> UInt64 { 0x5a00_0000_8000_0001 &+ UInt64(number) &* 0x0001_0203_0405_0607 }
    static func pattern(f number: Int) -> UInt64 { 0xffff_ffff_4120_0000 | UInt64(number) }
    static func pattern(memory offset: Int) -> UInt8 { UInt8(truncatingIfNeeded: offset &* 37 &+ 11) }
}

/// Registers by their names in the calling convention, so that tables read as assembly does.
enum Register {
    static let ra = 1, sp = 2, t0 = 5, s0 = 8, s1 = 9, a0 = 10, a1 = 11, a2 = 12, a3 = 13, a4 = 14, a5 = 15
    static let fa0 = 10, fa1 = 11, fa2 = 12, fa3 = 13, fa4 = 14, fa5 = 15
}

/// Sets of cases for the forms that instructions have; each table line is one call.
enum Cases {
    /// Flattens; the explicit type keeps the compiler fast on long tables.
    static func joined(_ cases: [[InstructionCase]]) -> [InstructionCase] { Array(cases.joined()) }

    /// rd = a0 from a1 and a2, and again with rd equal to either source, and into x0.
    static func rr(_ mnemonic: String, _ first: UInt64, _ second: UInt64, _ result: UInt64) -> [InstructionCase] {
        var plain = InstructionCase("\(mnemonic) a0, a1, a2")
        plain.x = [Register.a1: .constant(first), Register.a2: .constant(second)]
        plain.expectedX = [Register.a0: .constant(result)]
        var overFirst = plain
        overFirst.text = "\(mnemonic) a1, a1, a2"
        overFirst.expectedX = [Register.a1: .constant(result)]
        var overSecond = plain
        overSecond.text = "\(mnemonic) a2, a1, a2"
        overSecond.expectedX = [Register.a2: .constant(result)]
        var discarded = plain
        discarded.text = "\(mnemonic) x0, a1, a2"
        discarded.expectedX = [:]
        return [plain, overFirst, overSecond, discarded]
    }

    /// rd from one source and an immediate or nothing; `suffix` is what follows the source, comma included.
    static func ri(_ mnemonic: String, _ source: UInt64, _ suffix: String, _ result: UInt64) -> [InstructionCase] {
        var plain = InstructionCase("\(mnemonic) a0, a1\(suffix)")
        plain.x = [Register.a1: .constant(source)]
        plain.expectedX = [Register.a0: .constant(result)]
        var same = plain
        same.text = "\(mnemonic) a1, a1\(suffix)"
        same.expectedX = [Register.a1: .constant(result)]
        var discarded = plain
        discarded.text = "\(mnemonic) x0, a1\(suffix)"
        discarded.expectedX = [:]
        return [plain, same, discarded]
    }

    /// rd and the same source in both places.
    static func same(_ mnemonic: String, _ source: UInt64, _ result: UInt64) -> [InstructionCase] {
        var both = InstructionCase("\(mnemonic) a0, a1, a1")
        both.x = [Register.a1: .constant(source)]
        both.expectedX = [Register.a0: .constant(result)]
        return [both]
    }

    /// Any text, with integer registers before and after.
    static func text(
        _ text: String, _ before: [Int: UInt64] = [:], _ after: [Int: UInt64] = [:], compressed: Bool = false
    ) -> [InstructionCase] {
        var one = InstructionCase(text)
        one.x = before.mapValues { .constant($0) }
        one.expectedX = after.mapValues { .constant($0) }
        one.compressed = compressed
        return [one]
    }

    /// One instruction that must trap and change nothing.
    static func trap(
        _ text: String, cause: UInt64, tval: InstructionCase.Value, _ before: [Int: UInt64] = [:]
    ) -> [InstructionCase] {
        var one = InstructionCase(text)
        one.x = before.mapValues { .constant($0) }
        one.expectedTraps = [.init(cause: cause, offset: 0, tval: tval)]
        return [one]
    }
}
