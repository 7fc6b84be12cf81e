/// RV64I: jumps and branches, both ways and in both directions (Unprivileged ISA 2.5).
enum ControlTransfer {
    static let cases: [InstructionCase] = branches + jumps + indirectJumps

    private static let negative: UInt64 = 0xffff_ffff_ffff_ffff
    private static let minimum: UInt64 = 0x8000_0000_0000_0000

    /// Mnemonic, operands, taken?
    private static let conditions: [(String, UInt64, UInt64, Bool)] = [
        ("beq", 1, 1, true), ("beq", 1, 2, false), ("beq", 0, minimum, false),
        ("bne", 1, 1, false), ("bne", 1, 2, true), ("bne", 0, minimum, true),
        ("blt", 1, 2, true), ("blt", 2, 1, false), ("blt", 1, 1, false), ("blt", negative, 0, true),
        ("blt", 0, negative, false), ("blt", minimum, minimum - 1, true),
        ("bge", 1, 2, false), ("bge", 2, 1, true), ("bge", 1, 1, true), ("bge", negative, 0, false),
        ("bge", 0, negative, true), ("bge", minimum - 1, minimum, true),
        ("bltu", 1, 2, true), ("bltu", 2, 1, false), ("bltu", 1, 1, false), ("bltu", negative, 0, false),
        ("bltu", 0, negative, true), ("bltu", minimum - 1, minimum, true),
        ("bgeu", 1, 2, false), ("bgeu", 2, 1, true), ("bgeu", 1, 1, true), ("bgeu", negative, 0, true),
        ("bgeu", 0, negative, false), ("bgeu", minimum, minimum - 1, true),
    ]

    private static let branches: [InstructionCase] =
        conditions.flatMap { mnemonic, first, second, taken in
            let before = [Register.a1: first, Register.a2: second]
            let forward = Cases.text(
                "li a0, 1\n\(mnemonic) a1, a2, 1f\nli a0, 2\n1:", before, [Register.a0: taken ? 1 : 2])
            let backward = Cases.text(
                "j 2f\n1: li a0, 1\nj 3f\n2: li a0, 2\n\(mnemonic) a1, a2, 1b\n3:", before,
                [Register.a0: taken ? 1 : 2])
            // The farthest targets that a branch reaches.
            let far = Cases.text(
                "j 2f\n1: li a0, 1\nj 3f\n.skip 4096 - 12\n2: li a0, 2\n4: \(mnemonic) a1, a2, 4b - 4096\nj 3f\n3:",
                before, [Register.a0: taken ? 1 : 2])
            return forward + backward + (mnemonic == "beq" ? far : [])
        } + Cases.text("li a0, 3\nbeq a1, a1, 1f\nli a0, 4\n1:", [:], [Register.a0: 3])
        // A loop counts exactly.
        + Cases.text(
            "li a0, 0\nli a1, 100\n1: addi a0, a0, 3\naddi a1, a1, -1\nbnez a1, 1b", [:],
            [Register.a0: 300, Register.a1: 0])

    private static let jumps: [InstructionCase] = {
        var link = InstructionCase("jal ra, 1f\nli a0, 1\n1:")
        link.expectedX = [Register.ra: .code(4)]
        var other = InstructionCase("jal t0, 1f\nli a0, 1\n1:")
        other.expectedX = [Register.t0: .code(4)]
        var back = InstructionCase("j 2f\n1: j 3f\n2: jal ra, 1b\nli a0, 1\n3:")
        back.expectedX = [Register.ra: .code(12)]
        // Targets need only be even.
        var even = InstructionCase("jal ra, 1f\n.half 0\n1: nop\n.option rvc\nc.nop")
        even.expectedX = [Register.ra: .code(4)]
        var far = InstructionCase("jal ra, 1f\n.skip 0x80000\n1:")
        far.expectedX = [Register.ra: .code(4)]
        return [link, other, back, even, far] + Cases.text("j 1f\nli a0, 1\n1:")
    }()

    private static let indirectJumps: [InstructionCase] = {
        func one(_ text: String, target: Int64, _ after: [Int: InstructionCase.Value]) -> InstructionCase {
            var one = InstructionCase(text)
            one.x = [Register.a1: .code(target)]
            one.expectedX = after
            return one
        }
        return [
            one("jalr ra, 0(a1)\nli a0, 1\n1:", target: 8, [Register.ra: .code(4)]),
            // The lowest bit of the sum is cleared.
            one("jalr ra, 0(a1)\nli a0, 1\n1:", target: 9, [Register.ra: .code(4)]),
            one("jalr ra, 1(a1)\nli a0, 1\n1:", target: 8, [Register.ra: .code(4)]),
            one("jalr ra, -1(a1)\nli a0, 1\n1:", target: 10, [Register.ra: .code(4)]),
            one("jalr ra, 2047(a1)\nli a0, 1\n1:", target: 8 - 2047, [Register.ra: .code(4)]),
            one("jalr ra, -2048(a1)\nli a0, 1\n1:", target: 8 + 2048, [Register.ra: .code(4)]),
            // The target is computed before the link is written.
            one("jalr a1, 0(a1)\nli a0, 1\n1:", target: 8, [Register.a1: .code(4)]),
            one("jalr x0, 4(a1)\nli a0, 1\n1:", target: 4, [:]),
            one("jalr ra, 0(a1)\n.half 0\nnop\n.option rvc\nc.nop", target: 6, [Register.ra: .code(4)]),
        ]
    }()
}
