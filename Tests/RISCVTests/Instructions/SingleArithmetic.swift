private typealias S = Single

/// The F extension: arithmetic, rounding, flags, NaNs (Unprivileged ISA 20).
enum SingleArithmetic {
    static let cases: [InstructionCase] = sums + products + quotients + fused + signs + extremes + rounding + boxing

    private static let sums: [InstructionCase] = Cases.joined([
        FloatingCases.single("fadd.s", [S.one, S.two], S.three, Flags.none),
        FloatingCases.single("fadd.s", [S.one, S.minusOne], S.zero, Flags.none, .rne),
        FloatingCases.single("fadd.s", [S.one, S.minusOne], S.minusZero, Flags.none, .rdn),  // an exact zero sum
        FloatingCases.single("fadd.s", [S.minusZero, S.minusZero], S.minusZero, Flags.none, .rup),
        FloatingCases.single("fadd.s", [S.zero, S.minusZero], S.zero, Flags.none, .rtz),
        FloatingCases.single("fadd.s", [S.infinity, S.one], S.infinity, Flags.none),
        FloatingCases.single("fadd.s", [S.infinity, S.minusInfinity], S.quiet, Flags.nv),
        FloatingCases.single("fadd.s", [S.quietPayload, S.one], S.quiet, Flags.none),  // NaNs are canonical
        FloatingCases.single("fadd.s", [S.one, S.signaling], S.quiet, Flags.nv),
        FloatingCases.single("fadd.s", [S.largest, S.largest], S.infinity, Flags.of | Flags.nx, .rne),
        FloatingCases.single("fadd.s", [S.largest, S.largest], S.largest, Flags.of | Flags.nx, .rtz),
        FloatingCases.single("fadd.s", [S.largest, S.largest], S.largest, Flags.of | Flags.nx, .rdn),
        FloatingCases.single("fadd.s", [S.largest, S.largest], S.infinity, Flags.of | Flags.nx, .rup),
        FloatingCases.single("fadd.s", [S.largest, S.largest], S.infinity, Flags.of | Flags.nx, .rmm),
        FloatingCases.single("fadd.s", [S.smallest, S.smallest], 2, Flags.none),
        FloatingCases.single("fsub.s", [S.three, S.two], S.one, Flags.none),
        FloatingCases.single("fsub.s", [S.one, S.one], S.minusZero, Flags.none, .rdn),
        FloatingCases.single("fsub.s", [S.infinity, S.infinity], S.quiet, Flags.nv),
        FloatingCases.single("fsub.s", [S.smallestNormal, S.smallest], 0x007f_ffff, Flags.none),
    ])

    private static let products: [InstructionCase] = Cases.joined([
        FloatingCases.single("fmul.s", [S.two, S.three], 0x40c0_0000, Flags.none),
        FloatingCases.single("fmul.s", [S.zero, S.infinity], S.quiet, Flags.nv),
        FloatingCases.single("fmul.s", [S.minusOne, S.zero], S.minusZero, Flags.none),
        FloatingCases.single("fmul.s", [S.largest, S.two], S.infinity, Flags.of | Flags.nx),
        FloatingCases.single("fmul.s", [S.smallest, S.half], S.zero, Flags.uf | Flags.nx, .rne),
        FloatingCases.single("fmul.s", [S.smallest, S.half], S.smallest, Flags.uf | Flags.nx, .rup),
        FloatingCases.single("fmul.s", [S.smallest, S.half], S.smallest, Flags.uf | Flags.nx, .rmm),
        FloatingCases.single("fmul.s", [S.smallestNormal, S.half], 0x0040_0000, Flags.none),  // exact: no underflow
        // Tininess is detected after rounding: (1 - 2^-24) x 2^-126 becomes the smallest normal number. Its product is
        // 0x3f7fffff x 0x00800000; rounded with an unbounded exponent it stays below 2^-126, so it is tiny.
        FloatingCases.single("fmul.s", [0x3f7f_ffff, S.smallestNormal], S.smallestNormal, Flags.uf | Flags.nx, .rne),
        // 0x3f800001 x 0x007fffff = (1 + 2^-23)(1 - 2^-23) 2^-126 = (1 - 2^-46) 2^-126 rounds to 2^-126 even with an
        // unbounded exponent, so it is not tiny.
        FloatingCases.single("fmul.s", [0x3f80_0001, 0x007f_ffff], S.smallestNormal, Flags.nx, .rne),
    ])

    private static let quotients: [InstructionCase] = Cases.joined([
        FloatingCases.single("fdiv.s", [S.three, S.two], 0x3fc0_0000, Flags.none),
        FloatingCases.single("fdiv.s", [S.one, S.zero], S.infinity, Flags.dz),
        FloatingCases.single("fdiv.s", [S.minusOne, S.zero], S.minusInfinity, Flags.dz),
        FloatingCases.single("fdiv.s", [S.zero, S.zero], S.quiet, Flags.nv),
        FloatingCases.single("fdiv.s", [S.infinity, S.infinity], S.quiet, Flags.nv),
        FloatingCases.single("fdiv.s", [S.infinity, S.zero], S.infinity, Flags.none),
        FloatingCases.single("fdiv.s", [S.one, S.infinity], S.zero, Flags.none),
        FloatingCases.single("fdiv.s", [S.quiet, S.zero], S.quiet, Flags.none),
        FloatingCases.single("fdiv.s", [S.one, S.three], 0x3eaa_aaab, Flags.nx, .rne),
        FloatingCases.single("fdiv.s", [S.one, S.three], 0x3eaa_aaaa, Flags.nx, .rtz),
        FloatingCases.single("fdiv.s", [S.one, S.three], 0x3eaa_aaaa, Flags.nx, .rdn),
        FloatingCases.single("fdiv.s", [S.one, S.three], 0x3eaa_aaab, Flags.nx, .rup),
        FloatingCases.single("fdiv.s", [S.one, S.three], 0x3eaa_aaab, Flags.nx, .rmm),
        FloatingCases.single("fdiv.s", [S.minusOne, S.three], 0xbeaa_aaab, Flags.nx, .rdn),
        FloatingCases.single("fdiv.s", [S.minusOne, S.three], 0xbeaa_aaaa, Flags.nx, .rup),
        FloatingCases.single("fsqrt.s", [0x4080_0000], S.two, Flags.none),
        FloatingCases.single("fsqrt.s", [S.two], 0x3fb5_04f3, Flags.nx, .rne),
        FloatingCases.single("fsqrt.s", [S.two], 0x3fb5_04f4, Flags.nx, .rup),
        FloatingCases.single("fsqrt.s", [S.minusOne], S.quiet, Flags.nv),
        FloatingCases.single("fsqrt.s", [S.minusZero], S.minusZero, Flags.none),
        FloatingCases.single("fsqrt.s", [S.infinity], S.infinity, Flags.none),
        FloatingCases.single("fsqrt.s", [S.signaling], S.quiet, Flags.nv),
    ])

    private static let fused: [InstructionCase] = Cases.joined([
        FloatingCases.single("fmadd.s", [S.two, S.three, S.one], 0x40e0_0000, Flags.none),
        FloatingCases.single("fmsub.s", [S.two, S.three, S.one], 0x40a0_0000, Flags.none),
        FloatingCases.single("fnmsub.s", [S.two, S.three, S.one], 0xc0a0_0000, Flags.none),  // -(a x b) + c
        FloatingCases.single("fnmadd.s", [S.two, S.three, S.one], 0xc0e0_0000, Flags.none),  // -(a x b) - c
        // One rounding: (1 + 2^-23)^2 - (1 + 2^-22) leaves 2^-46.
        FloatingCases.single("fmsub.s", [0x3f80_0001, 0x3f80_0001, 0x3f80_0002], 0x2880_0000, Flags.none),
        // Infinity times zero is invalid even when the addend is a quiet NaN.
        FloatingCases.single("fmadd.s", [S.infinity, S.zero, S.quiet], S.quiet, Flags.nv),
        FloatingCases.single("fmadd.s", [S.one, S.one, S.quiet], S.quiet, Flags.none),
        FloatingCases.single("fmadd.s", [S.infinity, S.one, S.minusInfinity], S.quiet, Flags.nv),
        FloatingCases.single("fnmadd.s", [S.one, S.zero, S.zero], S.minusZero, Flags.none),
        FloatingCases.single("fmadd.s", [S.one, S.minusZero, S.zero], S.minusZero, Flags.none, .rdn),
        FloatingCases.single("fmadd.s", [S.largest, S.two, S.minusInfinity], S.minusInfinity, Flags.none),
    ])

    private static let signs: [InstructionCase] = Cases.joined([
        FloatingCases.single("fsgnj.s", [S.one, S.minusZero], S.minusOne, Flags.none),
        FloatingCases.single("fsgnjn.s", [S.one, S.minusZero], S.one, Flags.none),
        FloatingCases.single("fsgnjn.s", [S.one, S.one], S.minusOne, Flags.none),
        FloatingCases.single("fsgnjx.s", [S.minusOne, S.minusOne], S.one, Flags.none),
        FloatingCases.single("fsgnj.s", [S.signaling, S.minusOne], 0xff80_0001, Flags.none),  // no canonicalization
    ])

    private static let extremes: [InstructionCase] = Cases.joined([
        FloatingCases.single("fmin.s", [S.one, S.two], S.one, Flags.none),
        FloatingCases.single("fmin.s", [S.zero, S.minusZero], S.minusZero, Flags.none),
        FloatingCases.single("fmin.s", [S.minusZero, S.zero], S.minusZero, Flags.none),
        FloatingCases.single("fmax.s", [S.zero, S.minusZero], S.zero, Flags.none),
        FloatingCases.single("fmax.s", [S.minusZero, S.zero], S.zero, Flags.none),
        FloatingCases.single("fmin.s", [S.quietPayload, S.one], S.one, Flags.none),
        FloatingCases.single("fmax.s", [S.one, S.quiet], S.one, Flags.none),
        FloatingCases.single("fmin.s", [S.quietPayload, S.quietPayload], S.quiet, Flags.none),
        FloatingCases.single("fmax.s", [S.signaling, S.one], S.one, Flags.nv),
        FloatingCases.single("fmax.s", [S.signaling, S.signaling], S.quiet, Flags.nv),
        FloatingCases.single("fmax.s", [S.minusInfinity, S.minusOne], S.minusOne, Flags.none),
    ])

    /// 1 + 2^-24 is a tie; 1 + 3 x 2^-24 is the next one; a little more than a tie is 2^-24 (1 + 2^-23).
    private static let roundings: [(RoundingName, UInt32, UInt32, UInt32, UInt32)] = [
        (.rne, 0x3f80_0000, 0x3f80_0002, 0x3f80_0001, 0xbf80_0000),
        (.rtz, 0x3f80_0000, 0x3f80_0001, 0x3f80_0000, 0xbf80_0000),
        (.rdn, 0x3f80_0000, 0x3f80_0001, 0x3f80_0000, 0xbf80_0001),
        (.rup, 0x3f80_0001, 0x3f80_0002, 0x3f80_0001, 0xbf80_0000),
        (.rmm, 0x3f80_0001, 0x3f80_0002, 0x3f80_0001, 0xbf80_0001),
    ]

    private static let rounding: [InstructionCase] = roundings.flatMap { mode, tie, odd, above, negative in
        [
            FloatingCases.single("fadd.s", [S.one, 0x3380_0000], tie, Flags.nx, mode),
            FloatingCases.single("fadd.s", [0x3f80_0001, 0x3380_0000], odd, Flags.nx, mode),
            FloatingCases.single("fadd.s", [S.one, 0x3380_0001], above, Flags.nx, mode),
            FloatingCases.single("fadd.s", [S.minusOne, 0xb380_0000], negative, Flags.nx, mode),
        ].flatMap { $0 }
    }

    private static let boxing: [InstructionCase] = Cases.joined([
        // A value that is not boxed counts as the canonical NaN, for computation and for sign injection alike.
        FloatingCases.arithmetic(
            "fadd.s", [0x0000_0000_3f80_0000, FloatingCases.box(S.one)], FloatingCases.box(S.quiet), Flags.none),
        FloatingCases.arithmetic(
            "fsgnj.s", [0xffff_fffe_3f80_0000, FloatingCases.box(S.minusOne)], FloatingCases.box(0xffc0_0000),
            Flags.none),
        FloatingCases.arithmetic(
            "fsgnj.s", [FloatingCases.box(S.one), 0x7fff_ffff_bf80_0000], FloatingCases.box(S.one), Flags.none),
        FloatingCases.arithmetic(
            "fmin.s", [0, FloatingCases.box(S.one)], FloatingCases.box(S.one), Flags.none),
        FloatingCases.toInteger("feq.s", [0x3f80_0000, 0x3f80_0000], 0, Flags.none),
        FloatingCases.toInteger("fclass.s", [0x3f80_0000], 1 << 9, Flags.none),
        FloatingCases.toInteger("fcvt.w.s", [0x3f80_0000], 0x7fff_ffff, Flags.nv, .rtz),
        // Moves take the low half as it is.
        FloatingCases.toInteger("fmv.x.w", [0x1234_5678_bf80_0000], 0xffff_ffff_bf80_0000, Flags.none),
        FloatingCases.toInteger("fmv.x.w", [0x3f80_0000], 0x3f80_0000, Flags.none),
        FloatingCases.fromInteger("fmv.w.x", 0x1234_5678_bf80_0000, 0xffff_ffff_bf80_0000, Flags.none),
    ])
}
