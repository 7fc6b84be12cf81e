private let minimum: UInt64 = 0x8000_0000_0000_0000
private let ones: UInt64 = 0xffff_ffff_ffff_ffff

/// Zba, Zbb, Zbs (Unprivileged ISA, "B" Extension) and Zicond.
enum BitManipulation {
    static let cases: [InstructionCase] =
        address + logic + counts + extremes + rotations + extensions + single
        + conditional

    private static let address: [InstructionCase] = Cases.joined([
        Cases.rr("sh1add", 3, 10, 16),
        Cases.rr("sh2add", 3, 10, 22),
        Cases.rr("sh3add", 3, 10, 34),
        Cases.rr("sh1add", minimum, 1, 1),
        Cases.rr("sh3add", 0x2000_0000_0000_0001, ones, 7),
        Cases.rr("add.uw", 0xffff_ffff_ffff_ffff, 1, 0x1_0000_0000),
        Cases.rr("add.uw", 0x1234_5678_0000_0001, 2, 3),
        Cases.rr("sh1add.uw", 0xffff_ffff_8000_0000, 1, 0x1_0000_0001),
        Cases.rr("sh2add.uw", 0xffff_ffff_8000_0000, 1, 0x2_0000_0001),
        Cases.rr("sh3add.uw", 0xffff_ffff_8000_0000, 1, 0x4_0000_0001),
        Cases.ri("slli.uw", 0xffff_ffff_8000_0001, ", 0", 0x8000_0001),
        Cases.ri("slli.uw", 0xffff_ffff_8000_0001, ", 32", 0x8000_0001_0000_0000),
        Cases.ri("slli.uw", 0xffff_ffff_8000_0001, ", 63", minimum),
    ])

    private static let logic: [InstructionCase] = Cases.joined([
        Cases.rr("andn", 0xff00, 0x0ff0, 0xf000),
        Cases.rr("orn", 0xff00, 0x0ff0, 0xffff_ffff_ffff_ff0f),
        Cases.rr("xnor", 0xff00, 0x0ff0, 0xffff_ffff_ffff_0f0f),
        Cases.same("andn", 0x1234, 0),
        Cases.same("orn", 0x1234, ones),
        Cases.same("xnor", 0x1234, ones),
    ])

    private static let counts: [InstructionCase] = Cases.joined([
        Cases.ri("clz", 0, "", 64), Cases.ri("clz", 1, "", 63), Cases.ri("clz", ones, "", 0),
        Cases.ri("clz", 0x0000_0001_0000_0000, "", 31),
        Cases.ri("ctz", 0, "", 64), Cases.ri("ctz", 1, "", 0), Cases.ri("ctz", minimum, "", 63),
        Cases.ri("cpop", 0, "", 0), Cases.ri("cpop", ones, "", 64), Cases.ri("cpop", 0x8000_0000_0000_0101, "", 3),
        Cases.ri("clzw", 0, "", 32), Cases.ri("clzw", 0xffff_ffff_0000_0000, "", 32),
        Cases.ri("clzw", 0xffff_ffff_0000_0001, "", 31), Cases.ri("clzw", 0x8000_0000, "", 0),
        Cases.ri("ctzw", 0, "", 32), Cases.ri("ctzw", 0x1_0000_0000, "", 32), Cases.ri("ctzw", 0x8000_0000, "", 31),
        // QEMU 7.2 counts on in the upper half.
        Cases.ri("ctzw", 0x1000_0000_0000_0000, "", 32).map {
            var one = $0
            one.needs = .countOfLowerWord
            return one
        },
        Cases.ri("cpopw", 0xffff_ffff_0000_0000, "", 0), Cases.ri("cpopw", ones, "", 32),
    ])

    private static let extremes: [InstructionCase] = Cases.joined([
        Cases.rr("max", ones, 1, 1), Cases.rr("max", minimum, ones, ones), Cases.rr("max", 5, 5, 5),
        Cases.rr("maxu", ones, 1, ones), Cases.rr("maxu", minimum, 1, minimum),
        Cases.rr("min", ones, 1, ones), Cases.rr("min", minimum, ones, minimum),
        Cases.rr("minu", ones, 1, 1), Cases.rr("minu", minimum, ones, minimum),
    ])

    private static let rotations: [InstructionCase] = Cases.joined([
        Cases.rr("rol", 0x8000_0000_0000_0001, 1, 3),
        Cases.rr("rol", 0x1234_5678_9abc_def0, 64, 0x1234_5678_9abc_def0),
        Cases.rr("rol", 0x1234_5678_9abc_def0, 4, 0x2345_6789_abcd_ef01),
        Cases.rr("ror", 0x8000_0000_0000_0001, 1, 0xc000_0000_0000_0000),
        Cases.rr("ror", 0x1234_5678_9abc_def0, 68, 0x0123_4567_89ab_cdef),
        Cases.rr("rolw", 0xffff_ffff_4000_0000, 1, 0xffff_ffff_8000_0000),
        Cases.rr("rolw", 0x1234_5678, 36, 0x2345_6781),
        Cases.rr("rorw", 0xffff_ffff_0000_0001, 1, 0xffff_ffff_8000_0000),
        Cases.rr("rorw", 0x1234_5678, 32, 0x1234_5678),
        Cases.ri("rori", 1, ", 1", minimum),
        Cases.ri("rori", 0x1234_5678_9abc_def0, ", 63", 0x2468_acf1_3579_bde0),
        Cases.ri("rori", 0x1234_5678_9abc_def0, ", 0", 0x1234_5678_9abc_def0),
        Cases.ri("roriw", 0xffff_ffff_0000_0001, ", 1", 0xffff_ffff_8000_0000),
        Cases.ri("roriw", 0x9abc_def0, ", 0", 0xffff_ffff_9abc_def0),
        Cases.ri("roriw", 0x1234_5678, ", 31", 0x2468_acf0),
    ])

    private static let extensions: [InstructionCase] = Cases.joined([
        Cases.ri("sext.b", 0x1280, "", 0xffff_ffff_ffff_ff80), Cases.ri("sext.b", 0xff7f, "", 0x7f),
        Cases.ri("sext.h", 0x1_8000, "", 0xffff_ffff_ffff_8000), Cases.ri("sext.h", 0xffff_7fff, "", 0x7fff),
        Cases.ri("zext.h", 0xffff_ffff_ffff_8001, "", 0x8001),
        Cases.ri("rev8", 0x0123_4567_89ab_cdef, "", 0xefcd_ab89_6745_2301),
        Cases.ri("orc.b", 0x0100_8000_00ff_0010, "", 0xff00_ff00_00ff_00ff), Cases.ri("orc.b", 0, "", 0),
    ])

    private static let single: [InstructionCase] = Cases.joined([
        Cases.rr("bset", 0, 63, minimum), Cases.rr("bset", 0, 64, 1), Cases.rr("bset", 1, 0, 1),
        Cases.rr("bclr", ones, 63, 0x7fff_ffff_ffff_ffff), Cases.rr("bclr", ones, 128, ones - 1),
        Cases.rr("binv", 1, 0, 0), Cases.rr("binv", 0, 0xffff_ffff_ffff_ffff, minimum),
        Cases.rr("bext", minimum, 63, 1), Cases.rr("bext", minimum, 62, 0), Cases.rr("bext", 2, 65, 1),
        Cases.ri("bseti", 0, ", 63", minimum), Cases.ri("bseti", 0, ", 0", 1),
        Cases.ri("bseti", 0, ", 32", 0x1_0000_0000),
        Cases.ri("bclri", ones, ", 63", 0x7fff_ffff_ffff_ffff), Cases.ri("bclri", ones, ", 31", 0xffff_ffff_7fff_ffff),
        Cases.ri("binvi", 0, ", 31", 0x8000_0000), Cases.ri("binvi", 1, ", 0", 0),
        Cases.ri("bexti", minimum, ", 63", 1), Cases.ri("bexti", ones, ", 32", 1), Cases.ri("bexti", 0, ", 5", 0),
    ])

    private static let conditional: [InstructionCase] = Cases.joined([
        Cases.rr("czero.eqz", 7, 0, 0), Cases.rr("czero.eqz", 7, 1, 7), Cases.rr("czero.eqz", 7, minimum, 7),
        Cases.rr("czero.nez", 7, 0, 7), Cases.rr("czero.nez", 7, 1, 0), Cases.rr("czero.nez", 7, minimum, 0),
    ]).map { one in
        var one = one
        one.needs = .zicond
        return one
    }
}
