internal import CJail

/// A filter of system calls as a program for the kernel's classic BPF machine, which sees `struct seccomp_data`:
///
///     0  the call's number     4  the architecture     8  the instruction pointer     16 + 8 n  argument n, low half first
///
/// The program finds the call's number by binary search. A process of another architecture or of the x32 interface is killed: its numbers
/// mean other calls.
struct FilterProgram: Sendable {
    private(set) var instructions: [aerie_filter_instruction]

    /// AUDIT_ARCH_X86_64.
    static let architecture: UInt32 = 0xC000_003E
    /// Numbers from here on are those of x32.
    static let firstForeignCall: UInt32 = 0x4000_0000
    /// BPF_MAXINSNS.
    static let mostInstructions = 4096

    /// - Parameter rules: at most one for each call; of calls without a rule, the verdict is `otherwise`.
    init(_ rules: [FilterRule], otherwise: FilterVerdict = .trap) {
        let sorted = rules.sorted { $0.call.rawValue < $1.call.rawValue }
        var segments: [(first: UInt32, code: [aerie_filter_instruction])] = []
        let missing = [Self.verdict(otherwise)]
        func add(_ first: UInt32, _ code: [aerie_filter_instruction]) {
            // Neighbours with one verdict are one segment; a rule replaces the gap that began at its number.
            if let last = segments.last, last.first == first { segments.removeLast() }
            if let last = segments.last, Self.areSame(last.code, code) { return }
            segments.append((first, code))
        }
        add(0, missing)
        for rule in sorted {
            precondition(segments.last.map { $0.first <= rule.call.rawValue } ?? true, "one rule for each call")
            add(rule.call.rawValue, Self.code(rule))
            add(rule.call.rawValue + 1, missing)
        }
        instructions = [
            Self.load(4), Self.jumpIfEqual(Self.architecture, 1, 0), Self.verdict(.kill),
            Self.load(0), Self.jumpIfAtLeast(Self.firstForeignCall, 0, 1), Self.verdict(.kill),
        ]
        instructions += Self.search(segments[...])
        precondition(instructions.count <= Self.mostInstructions, "the kernel takes filters of limited length")
    }

    private static func areSame(_ one: [aerie_filter_instruction], _ other: [aerie_filter_instruction]) -> Bool {
        one.count == 1 && other.count == 1 && one[0].code == other[0].code && one[0].operand == other[0].operand
    }

    // MARK: Code

    private static func search(
        _ segments: ArraySlice<(first: UInt32, code: [aerie_filter_instruction])>
    ) -> [aerie_filter_instruction] {
        if segments.count == 1 { return segments[segments.startIndex].code }
        let middle = segments.startIndex + segments.count / 2
        let lower = search(segments[..<middle])
        let upper = search(segments[middle...])
        let boundary = segments[middle].first
        // Conditional jumps reach 255 instructions.
        if lower.count <= 255 { return [jumpIfAtLeast(boundary, UInt8(lower.count), 0)] + lower + upper }
        return [jumpIfAtLeast(boundary, 0, 1), jump(UInt32(lower.count))] + lower + upper
    }

    private static func code(_ rule: FilterRule) -> [aerie_filter_instruction] {
        if rule.alternatives.contains(where: \.isEmpty) { return [verdict(.allow)] }
        return rule.alternatives.flatMap(code) + [verdict(rule.otherwise)]
    }

    /// Allows the call when all tests hold, and otherwise goes on behind.
    private static func code(_ tests: [ArgumentTest]) -> [aerie_filter_instruction] {
        var code = [verdict(.allow)]
        for test in tests.reversed() {
            let skipped = UInt8(code.count)
            let low = UInt32(16 + 8 * test.argument)
            var part = [load(low)]
            if test.mask != .max { part.append(and(test.mask)) }
            part.append(
                test.relation == .equal ? jumpIfEqual(test.value, 0, skipped) : jumpIfEqual(test.value, skipped, 0))
            if test.isWide { part = [load(low + 4), jumpIfEqual(0, 0, skipped + UInt8(part.count))] + part }
            code = part + code
        }
        return code
    }

    // MARK: Instructions

    private static func make(
        _ code: UInt16, _ operand: UInt32, _ whenTrue: UInt8 = 0, _ whenFalse: UInt8 = 0
    ) -> aerie_filter_instruction {
        aerie_filter_instruction(code: code, whenTrue: whenTrue, whenFalse: whenFalse, operand: operand)
    }

    /// BPF_LD + BPF_W + BPF_ABS.
    private static func load(_ offset: UInt32) -> aerie_filter_instruction { make(0x20, offset) }
    /// BPF_ALU + BPF_AND + BPF_K.
    private static func and(_ mask: UInt32) -> aerie_filter_instruction { make(0x54, mask) }
    /// BPF_JMP + BPF_JA.
    private static func jump(_ count: UInt32) -> aerie_filter_instruction { make(0x05, count) }
    /// BPF_JMP + BPF_JEQ + BPF_K.
    private static func jumpIfEqual(_ value: UInt32, _ yes: UInt8, _ no: UInt8) -> aerie_filter_instruction {
        make(0x15, value, yes, no)
    }
    /// BPF_JMP + BPF_JGE + BPF_K.
    private static func jumpIfAtLeast(_ value: UInt32, _ yes: UInt8, _ no: UInt8) -> aerie_filter_instruction {
        make(0x35, value, yes, no)
    }
    /// BPF_RET + BPF_K.
    private static func verdict(_ verdict: FilterVerdict) -> aerie_filter_instruction { make(0x06, verdict.value) }
}
