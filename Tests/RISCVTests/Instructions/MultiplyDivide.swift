private let minimum: UInt64 = 0x8000_0000_0000_0000
private let maximum: UInt64 = 0x7fff_ffff_ffff_ffff
private let ones: UInt64 = 0xffff_ffff_ffff_ffff
private let minimum32: UInt64 = 0xffff_ffff_8000_0000

/// The M extension, with division by zero and overflow as its table 13.1 has them.
enum MultiplyDivide {
    static let cases: [InstructionCase] = products + quotients + wordQuotients

    private static let products: [InstructionCase] = Cases.joined([
        Cases.rr("mul", 3, 7, 21),
        Cases.rr("mul", ones, ones, 1),
        Cases.rr("mul", minimum, 2, 0),
        Cases.rr("mul", 0x1_0000_0001, 0x1_0000_0001, 0x2_0000_0001),
        Cases.rr("mul", maximum, ones, 0x8000_0000_0000_0001),
        Cases.same("mul", 0xffff_ffff, 0xffff_fffe_0000_0001),
        Cases.rr("mulh", 3, 7, 0),
        Cases.rr("mulh", ones, 1, ones),
        Cases.rr("mulh", ones, ones, 0),
        Cases.rr("mulh", minimum, minimum, 0x4000_0000_0000_0000),
        Cases.rr("mulh", minimum, maximum, 0xc000_0000_0000_0000),
        Cases.rr("mulh", maximum, maximum, 0x3fff_ffff_ffff_ffff),
        Cases.rr("mulhu", ones, ones, ones - 1),
        Cases.rr("mulhu", minimum, 2, 1),
        Cases.rr("mulhu", 0x1_0000_0000, 0x1_0000_0000, 1),
        Cases.rr("mulhu", ones, 1, 0),
        Cases.rr("mulhsu", ones, 1, ones),  // the first is signed, the second is not
        Cases.rr("mulhsu", ones, ones, ones),
        Cases.rr("mulhsu", 1, ones, 0),
        Cases.rr("mulhsu", minimum, ones, minimum),
        Cases.rr("mulhsu", maximum, ones, maximum - 1),
        Cases.rr("mulhsu", minimum, minimum, 0xc000_0000_0000_0000),
        Cases.rr("mulw", 0x1_0000_0003, 0x2_0000_0007, 21),
        Cases.rr("mulw", 0x7fff_ffff, 2, ones - 1),
        Cases.rr("mulw", 0x8000_0000, ones, minimum32),
        Cases.rr("mulw", 0x1_0000, 0x1_0000, 0),
    ])

    private static let quotients: [InstructionCase] = Cases.joined([
        Cases.rr("div", 20, 6, 3),
        Cases.rr("div", ones - 19, 6, ones - 2),  // rounds toward zero
        Cases.rr("div", 20, ones - 5, ones - 2),
        Cases.rr("div", ones - 19, ones - 5, 3),
        Cases.rr("div", 42, 0, ones),
        Cases.rr("div", 0, 0, ones),
        Cases.rr("div", minimum, ones, minimum),
        Cases.rr("div", minimum, 1, minimum),
        Cases.same("div", minimum, 1),
        Cases.rr("divu", 20, 6, 3),
        Cases.rr("divu", ones, 2, maximum),
        Cases.rr("divu", minimum, ones, 0),
        Cases.rr("divu", 42, 0, ones),
        Cases.rr("rem", 20, 6, 2),
        Cases.rr("rem", ones - 19, 6, ones - 1),  // the sign is the dividend's
        Cases.rr("rem", 20, ones - 5, 2),
        Cases.rr("rem", ones - 19, ones - 5, ones - 1),
        Cases.rr("rem", 42, 0, 42),
        Cases.rr("rem", minimum, 0, minimum),
        Cases.rr("rem", minimum, ones, 0),
        Cases.rr("remu", 20, 6, 2),
        Cases.rr("remu", minimum, ones, minimum),
        Cases.rr("remu", 42, 0, 42),
        Cases.rr("remu", ones, 10, 5),
    ])

    private static let wordQuotients: [InstructionCase] = Cases.joined([
        Cases.rr("divw", 0x1234_0000_0014, 0x5678_0000_0006, 3),
        Cases.rr("divw", 0xffff_ffec, 6, ones - 2),
        Cases.rr("divw", 0x8000_0000, 0xffff_ffff, minimum32),
        Cases.rr("divw", 42, 0, ones),
        Cases.rr("divw", 42, 0x1_0000_0000, ones),
        Cases.rr("divuw", 0xffff_ffff, 1, ones),
        Cases.rr("divuw", 0xffff_ffff, 2, 0x7fff_ffff),
        Cases.rr("divuw", 0x1_0000_0014, 6, 3),
        Cases.rr("divuw", 42, 0, ones),
        Cases.rr("divuw", 0x8000_0000, 0xffff_ffff, 0),
        Cases.rr("remw", 0xffff_ffec, 6, ones - 1),
        Cases.rr("remw", 0x8000_0000, 0xffff_ffff, 0),
        Cases.rr("remw", 0x8000_0000, 0, minimum32),
        Cases.rr("remw", 0x1_0000_0014, 0x1_0000_0000, 20),
        Cases.rr("remuw", 0x8000_0000, 0xffff_ffff, minimum32),
        Cases.rr("remuw", 0xffff_ffff, 10, 5),
        Cases.rr("remuw", 0x8000_0000, 0, minimum32),
        Cases.rr("remuw", 0xffff_fff0, 0xffff_fff1, 0xffff_ffff_ffff_fff0),
    ])
}
