private typealias D = Double64

/// The D extension: arithmetic, rounding, flags, NaNs (Unprivileged ISA 21).
enum DoubleArithmetic {
    static let cases: [InstructionCase] = sums + products + quotients + fused + signs + rounding

    private static let sums: [InstructionCase] = Cases.joined([
        FloatingCases.double("fadd.d", [D.one, D.two], D.three, Flags.none),
        FloatingCases.double("fadd.d", [D.one, D.minusOne], D.zero, Flags.none, .rup),
        FloatingCases.double("fadd.d", [D.one, D.minusOne], D.minusZero, Flags.none, .rdn),
        FloatingCases.double("fadd.d", [D.infinity, D.minusInfinity], D.quiet, Flags.nv),
        FloatingCases.double("fadd.d", [D.quietPayload, D.signaling], D.quiet, Flags.nv),
        FloatingCases.double("fadd.d", [D.quietPayload, D.one], D.quiet, Flags.none),
        FloatingCases.double("fadd.d", [D.largest, D.largest], D.infinity, Flags.of | Flags.nx, .rne),
        FloatingCases.double("fadd.d", [D.largest, D.largest], D.largest, Flags.of | Flags.nx, .rtz),
        FloatingCases.double("fadd.d", [D.largest, D.largest], D.infinity, Flags.of | Flags.nx, .rmm),
        // A negative overflow goes the other way.
        FloatingCases.double(
            "fsub.d", [0xffef_ffff_ffff_ffff, D.largest], D.minusInfinity, Flags.of | Flags.nx, .rdn),
        FloatingCases.double(
            "fsub.d", [0xffef_ffff_ffff_ffff, D.largest], 0xffef_ffff_ffff_ffff, Flags.of | Flags.nx, .rup),
        FloatingCases.double("fsub.d", [D.smallestNormal, D.smallest], 0x000f_ffff_ffff_ffff, Flags.none),
        FloatingCases.double("fsub.d", [D.infinity, D.infinity], D.quiet, Flags.nv),
    ])

    private static let products: [InstructionCase] = Cases.joined([
        FloatingCases.double("fmul.d", [D.two, D.three], 0x4018_0000_0000_0000, Flags.none),
        FloatingCases.double("fmul.d", [D.zero, D.minusInfinity], D.quiet, Flags.nv),
        FloatingCases.double("fmul.d", [D.smallest, D.half], D.zero, Flags.uf | Flags.nx, .rne),
        FloatingCases.double("fmul.d", [D.smallest, D.half], D.zero, Flags.uf | Flags.nx, .rdn),
        FloatingCases.double("fmul.d", [D.smallest, D.half], D.smallest, Flags.uf | Flags.nx, .rup),
        FloatingCases.double("fmul.d", [D.smallestNormal, D.half], 0x0008_0000_0000_0000, Flags.none),
        FloatingCases.double(
            "fmul.d", [0x3ff0_0000_0000_0001, 0x000f_ffff_ffff_ffff], D.smallestNormal, Flags.nx, .rne),
        FloatingCases.double(
            "fmul.d", [0x3fef_ffff_ffff_ffff, D.smallestNormal], D.smallestNormal, Flags.uf | Flags.nx, .rne),
    ])

    private static let quotients: [InstructionCase] = Cases.joined([
        FloatingCases.double("fdiv.d", [D.one, D.three], 0x3fd5_5555_5555_5555, Flags.nx, .rne),
        FloatingCases.double("fdiv.d", [D.one, D.three], 0x3fd5_5555_5555_5556, Flags.nx, .rup),
        FloatingCases.double("fdiv.d", [D.one, D.zero], D.infinity, Flags.dz),
        FloatingCases.double("fdiv.d", [D.one, D.minusZero], D.minusInfinity, Flags.dz),
        FloatingCases.double("fdiv.d", [D.zero, D.zero], D.quiet, Flags.nv),
        FloatingCases.double("fsqrt.d", [0x4010_0000_0000_0000], D.two, Flags.none),
        FloatingCases.double("fsqrt.d", [D.two], 0x3ff6_a09e_667f_3bcd, Flags.nx, .rne),
        FloatingCases.double("fsqrt.d", [D.two], 0x3ff6_a09e_667f_3bcc, Flags.nx, .rtz),
        FloatingCases.double("fsqrt.d", [D.minusOne], D.quiet, Flags.nv),
        FloatingCases.double("fsqrt.d", [D.minusZero], D.minusZero, Flags.none),
        FloatingCases.double("fsqrt.d", [D.quietPayload], D.quiet, Flags.none),
    ])

    private static let fused: [InstructionCase] = Cases.joined([
        FloatingCases.double("fmadd.d", [D.two, D.three, D.one], 0x401c_0000_0000_0000, Flags.none),
        FloatingCases.double("fmsub.d", [D.two, D.three, D.one], 0x4014_0000_0000_0000, Flags.none),
        FloatingCases.double("fnmsub.d", [D.two, D.three, D.one], 0xc014_0000_0000_0000, Flags.none),
        FloatingCases.double("fnmadd.d", [D.two, D.three, D.one], 0xc01c_0000_0000_0000, Flags.none),
        // (1 + 2^-52)^2 - (1 + 2^-51) leaves 2^-104.
        FloatingCases.double(
            "fmsub.d", [0x3ff0_0000_0000_0001, 0x3ff0_0000_0000_0001, 0x3ff0_0000_0000_0002],
            0x3970_0000_0000_0000, Flags.none),
        FloatingCases.double("fmadd.d", [D.zero, D.infinity, D.quiet], D.quiet, Flags.nv),
        FloatingCases.double("fmsub.d", [D.infinity, D.one, D.infinity], D.quiet, Flags.nv),
        FloatingCases.double("fnmsub.d", [D.one, D.one, D.one], D.zero, Flags.none, .rne),
        FloatingCases.double("fnmsub.d", [D.one, D.one, D.one], D.minusZero, Flags.none, .rdn),
    ])

    private static let signs: [InstructionCase] = Cases.joined([
        FloatingCases.double("fsgnj.d", [D.signaling, D.minusZero], 0xfff0_0000_0000_0001, Flags.none),
        FloatingCases.double("fsgnjn.d", [D.one, D.minusZero], D.one, Flags.none),
        FloatingCases.double("fsgnjx.d", [D.minusOne, D.minusOne], D.one, Flags.none),
        FloatingCases.double("fmin.d", [D.zero, D.minusZero], D.minusZero, Flags.none),
        FloatingCases.double("fmax.d", [D.minusZero, D.zero], D.zero, Flags.none),
        FloatingCases.double("fmin.d", [D.quietPayload, D.two], D.two, Flags.none),
        FloatingCases.double("fmax.d", [D.two, D.signaling], D.two, Flags.nv),
        FloatingCases.double("fmin.d", [D.quietPayload, D.quiet], D.quiet, Flags.none),
        FloatingCases.double("fmax.d", [D.minusInfinity, D.minusOne], D.minusOne, Flags.none),
        FloatingCases.toInteger("fmv.x.d", [D.signaling], D.signaling, Flags.none),
        FloatingCases.fromInteger("fmv.d.x", D.signaling, D.signaling, Flags.none),
    ])

    /// 1 + 2^-53 is a tie, so is 1 + 3 x 2^-53; the third sum is just above a tie.
    private static let roundings: [(RoundingName, UInt64, UInt64, UInt64)] = [
        (.rne, 0, 2, 1), (.rtz, 0, 1, 0), (.rdn, 0, 1, 0), (.rup, 1, 2, 1), (.rmm, 1, 2, 1),
    ]

    private static let rounding: [InstructionCase] = roundings.flatMap { mode, tie, odd, above in
        [
            FloatingCases.double("fadd.d", [D.one, 0x3ca0_0000_0000_0000], D.one + tie, Flags.nx, mode),
            FloatingCases.double("fadd.d", [D.one + 1, 0x3ca0_0000_0000_0000], D.one + odd, Flags.nx, mode),
            FloatingCases.double("fadd.d", [D.one, 0x3ca0_0000_0000_0001], D.one + above, Flags.nx, mode),
        ].flatMap { $0 }
    }
}
