private let minimum: UInt64 = 0x8000_0000_0000_0000
private let maximum: UInt64 = 0x7fff_ffff_ffff_ffff
private let ones: UInt64 = 0xffff_ffff_ffff_ffff

/// RV64I: register-register and register-immediate computation (Unprivileged ISA 2.4 and 4.2).
enum IntegerComputation {
    static let cases: [InstructionCase] = addition + comparison + logic + shifts + immediates + upper + zeroRegister

    private static let addition: [InstructionCase] = Cases.joined([
        Cases.rr("add", 0, 0, 0),
        Cases.rr("add", 1, 2, 3),
        Cases.rr("add", ones, 1, 0),
        Cases.rr("add", maximum, 1, minimum),
        Cases.rr("add", minimum, minimum, 0),
        Cases.same("add", 0x1234_5678_9abc_def0, 0x2468_acf1_3579_bde0),
        Cases.rr("sub", 0, 0, 0),
        Cases.rr("sub", 0, 1, ones),
        Cases.rr("sub", minimum, 1, maximum),
        Cases.rr("sub", 5, 7, ones - 1),
        Cases.same("sub", 77, 0),
        Cases.rr("addw", 1, 2, 3),
        Cases.rr("addw", 0x7fff_ffff, 1, 0xffff_ffff_8000_0000),
        Cases.rr("addw", 0xffff_ffff, 1, 0),
        Cases.rr("addw", 0xdead_beef_0000_0001, 0x1234_5678_0000_0002, 3),
        Cases.rr("addw", 0x8000_0000, 0x8000_0000, 0),
        Cases.rr("subw", 0, 1, ones),
        Cases.rr("subw", 0x8000_0000, 1, 0x7fff_ffff),
        Cases.rr("subw", 0xffff_0000_0000_0005, 0x1111_1111_0000_0003, 2),
        Cases.same("subw", ones, 0),
    ])

    private static let comparison: [InstructionCase] = Cases.joined([
        Cases.rr("slt", 0, 0, 0),
        Cases.rr("slt", ones, 0, 1),
        Cases.rr("slt", 0, ones, 0),
        Cases.rr("slt", minimum, maximum, 1),
        Cases.rr("slt", maximum, minimum, 0),
        Cases.rr("sltu", 0, 0, 0),
        Cases.rr("sltu", ones, 0, 0),
        Cases.rr("sltu", 0, ones, 1),
        Cases.rr("sltu", minimum, maximum, 0),
        Cases.rr("sltu", 1, 2, 1),
        Cases.ri("slti", 0, ", 0", 0),
        Cases.ri("slti", ones, ", 0", 1),
        Cases.ri("slti", ones - 0x800, ", -2048", 1),
        Cases.ri("slti", ones - 0x7ff, ", -2048", 0),
        Cases.ri("slti", 2046, ", 2047", 1),
        Cases.ri("slti", 2047, ", 2047", 0),
        Cases.ri("slti", minimum, ", -1", 1),
        Cases.ri("sltiu", 0, ", 1", 1),
        Cases.ri("sltiu", 1, ", 1", 0),
        Cases.ri("sltiu", ones - 1, ", -1", 1),  // the immediate is sign-extended, then compared unsigned
        Cases.ri("sltiu", ones, ", -1", 0),
        Cases.ri("sltiu", ones - 0x800, ", -2048", 1),
        Cases.ri("sltiu", minimum, ", 2047", 0),
    ])

    private static let logic: [InstructionCase] = Cases.joined([
        Cases.rr("and", 0xff00_ff00_ff00_ff00, 0x0ff0_0ff0_0ff0_0ff0, 0x0f00_0f00_0f00_0f00),
        Cases.rr("or", 0xff00_ff00_ff00_ff00, 0x0ff0_0ff0_0ff0_0ff0, 0xfff0_fff0_fff0_fff0),
        Cases.rr("xor", 0xff00_ff00_ff00_ff00, 0x0ff0_0ff0_0ff0_0ff0, 0xf0f0_f0f0_f0f0_f0f0),
        Cases.same("xor", ones, 0),
        Cases.same("and", 0x1234, 0x1234),
        Cases.same("or", 0x1234, 0x1234),
        Cases.ri("andi", 0x1234_5678_9abc_def0, ", -16", 0x1234_5678_9abc_def0),
        Cases.ri("andi", ones, ", 2047", 2047),
        Cases.ri("andi", ones, ", -2048", ones - 2047),
        Cases.ri("ori", 0, ", -1", ones),
        Cases.ri("ori", 0x1000, ", 2047", 0x17ff),
        Cases.ri("ori", 1, ", -2048", ones - 2046),
        Cases.ri("xori", 0x00ff, ", -1", ones - 0xff),
        Cases.ri("xori", 0x0f0f, ", 0x70f", 0x0800),
        Cases.ri("xori", 0, ", -2048", ones - 2047),
    ])

    private static let shifts: [InstructionCase] = Cases.joined([
        Cases.rr("sll", 1, 0, 1),
        Cases.rr("sll", 1, 63, minimum),
        Cases.rr("sll", 1, 64, 1),  // only the low six bits count
        Cases.rr("sll", ones, ones, minimum),
        Cases.rr("srl", minimum, 63, 1),
        Cases.rr("srl", ones, 0xffff_ffff_ffff_ffc1, maximum),
        Cases.rr("srl", 0x1234, 128, 0x1234),
        Cases.rr("sra", minimum, 63, ones),
        Cases.rr("sra", minimum, 1, 0xc000_0000_0000_0000),
        Cases.rr("sra", maximum, 62, 1),
        Cases.rr("sra", ones, 64, ones),
        Cases.rr("sllw", 1, 31, 0xffff_ffff_8000_0000),
        Cases.rr("sllw", 1, 32, 1),  // only the low five bits count
        Cases.rr("sllw", 0xffff_ffff_0000_0003, 30, 0xffff_ffff_c000_0000),
        Cases.rr("srlw", 0xffff_ffff_8000_0000, 31, 1),
        Cases.rr("srlw", 0x1_8000_0000, 0, 0xffff_ffff_8000_0000),
        Cases.rr("srlw", 0xffff_ffff_ffff_ffff, 0x21, 0x7fff_ffff),
        Cases.rr("sraw", 0x8000_0000, 31, ones),
        Cases.rr("sraw", 0xffff_ffff_7fff_ffff, 30, 1),
        Cases.rr("sraw", 0x8000_0000, 0x20, 0xffff_ffff_8000_0000),
        Cases.ri("slli", 1, ", 0", 1),
        Cases.ri("slli", 1, ", 63", minimum),
        Cases.ri("slli", 0xffff_ffff, ", 32", 0xffff_ffff_0000_0000),
        Cases.ri("srli", minimum, ", 63", 1),
        Cases.ri("srli", ones, ", 32", 0xffff_ffff),
        Cases.ri("srai", minimum, ", 63", ones),
        Cases.ri("srai", 0x8000_0000_0000_0000, ", 32", 0xffff_ffff_8000_0000),
        Cases.ri("srai", maximum, ", 33", 0x3fff_ffff),
        Cases.ri("slliw", 0x1_0000_0001, ", 31", 0xffff_ffff_8000_0000),
        Cases.ri("slliw", ones, ", 0", ones),
        Cases.ri("srliw", 0xffff_ffff_8000_0000, ", 0", 0xffff_ffff_8000_0000),
        Cases.ri("srliw", 0xffff_ffff_8000_0000, ", 4", 0x0800_0000),
        Cases.ri("sraiw", 0x8000_0000, ", 4", 0xffff_ffff_f800_0000),
        Cases.ri("sraiw", 0xffff_ffff_4000_0000, ", 30", 1),
    ])

    private static let immediates: [InstructionCase] = Cases.joined([
        Cases.ri("addi", 0, ", 2047", 2047),
        Cases.ri("addi", 0, ", -2048", ones - 2047),
        Cases.ri("addi", ones, ", 1", 0),
        Cases.ri("addi", maximum, ", 1", minimum),
        Cases.ri("addiw", 0x7fff_ffff, ", 1", 0xffff_ffff_8000_0000),
        Cases.ri("addiw", 0xffff_ffff_0000_0000, ", -1", ones),
        Cases.ri("addiw", 0x1234_5678_8000_0000, ", 0", 0xffff_ffff_8000_0000),
        Cases.ri("addiw", 0xffff_ffff, ", -2048", ones - 2048),
    ])

    private static let upper: [InstructionCase] = {
        var cases = [
            Cases.text("lui a0, 0", [:], [Register.a0: 0]),
            Cases.text("lui a0, 1", [:], [Register.a0: 0x1000]),
            Cases.text("lui a0, 0x7ffff", [:], [Register.a0: 0x7fff_f000]),
            Cases.text("lui a0, 0x80000", [:], [Register.a0: 0xffff_ffff_8000_0000]),
            Cases.text("lui a0, 0xfffff", [:], [Register.a0: 0xffff_ffff_ffff_f000]),
            Cases.text("lui x0, 0xfffff"),
            Cases.text("auipc x0, 0xfffff"),
        ].flatMap { $0 }
        for (immediate, offset) in [("0", 0), ("1", 0x1000), ("0x7ffff", 0x7fff_f000), ("0x80000", -0x8000_0000)] {
            var one = InstructionCase("auipc a0, \(immediate)")
            one.expectedX = [Register.a0: .code(Int64(offset))]
            cases.append(one)
        }
        return cases
    }()

    private static let zeroRegister: [InstructionCase] = Cases.joined([
        Cases.text("addi x0, x0, 5\nadd a0, x0, x0", [:], [Register.a0: 0]),
        Cases.text("li a0, -1\nsub a0, x0, a0", [:], [Register.a0: 1]),
        Cases.text("lui x0, 0x12345\nmv a0, x0", [:], [Register.a0: 0]),
        Cases.text("mulhu x0, a1, a1\nmv a0, x0", [Register.a1: ones], [Register.a0: 0]),
        Cases.text("ld x0, 0(s0)\nmv a0, x0", [:], [Register.a0: 0]),
        Cases.text("fence\nfence rw, rw\nfence.tso\nfence.i\npause"),
        // Reserved fence encodings, and the fields that are to be ignored, are fences as well.
        Cases.text(".word 0x0ff58f8f, 0xfff0000f, 0x0000000f, 0x1005950f"),
        // Hints: computation into x0 with any operands.
        Cases.text("slti x0, a1, 5\nandi x0, a1, 1\nsltu x0, a1, a2\nsraiw x0, a1, 3"),
    ])
}
