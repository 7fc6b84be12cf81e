private typealias S = Single
private typealias D = Double64
private let ones: UInt64 = 0xffff_ffff_ffff_ffff

/// Conversions at their bounds, comparisons, classification, loads and stores, fcsr (Unprivileged ISA 20 and 21).
enum FloatingConversion {
    static let cases: [InstructionCase] =
        toWords + toLongs + fromIntegers + betweenFormats + comparisons + classes
        + memory + control

    private static func single(
        _ mnemonic: String, _ source: UInt32, _ result: UInt64, _ flags: UInt64, _ mode: RoundingName = .rtz
    ) -> [InstructionCase] {
        FloatingCases.toInteger(mnemonic, [FloatingCases.box(source)], result, flags, mode)
    }

    private static func double(
        _ mnemonic: String, _ source: UInt64, _ result: UInt64, _ flags: UInt64, _ mode: RoundingName = .rtz
    ) -> [InstructionCase] {
        FloatingCases.toInteger(mnemonic, [source], result, flags, mode)
    }

    private static let toWords: [InstructionCase] = Cases.joined([
        single("fcvt.w.s", S.three, 3, Flags.none),
        single("fcvt.w.s", 0xc020_0000, ones - 1, Flags.nx),  // -2.5
        single("fcvt.w.s", 0xc020_0000, ones - 1, Flags.nx, .rne),
        single("fcvt.w.s", 0xc020_0000, ones - 2, Flags.nx, .rdn),
        single("fcvt.w.s", 0xc020_0000, ones - 1, Flags.nx, .rup),
        single("fcvt.w.s", 0xc020_0000, ones - 2, Flags.nx, .rmm),
        single("fcvt.w.s", 0x4f00_0000, 0x7fff_ffff, Flags.nv),  // 2^31
        single("fcvt.w.s", 0xcf00_0000, 0xffff_ffff_8000_0000, Flags.none),
        single("fcvt.w.s", 0xcf00_0001, 0xffff_ffff_8000_0000, Flags.nv),
        single("fcvt.w.s", S.infinity, 0x7fff_ffff, Flags.nv),
        single("fcvt.w.s", S.minusInfinity, 0xffff_ffff_8000_0000, Flags.nv),
        single("fcvt.w.s", S.quietPayload, 0x7fff_ffff, Flags.nv),
        single("fcvt.wu.s", 0x4f00_0000, 0xffff_ffff_8000_0000, Flags.none),
        single("fcvt.wu.s", 0x4f80_0000, ones, Flags.nv),  // 2^32
        single("fcvt.wu.s", S.minusOne, 0, Flags.nv),
        single("fcvt.wu.s", 0xbf40_0000, 0, Flags.nx),  // -0.75 rounds to zero, which is in range
        single("fcvt.wu.s", 0xbf40_0000, 0, Flags.nv, .rne),
        single("fcvt.wu.s", S.minusZero, 0, Flags.none),
        single("fcvt.wu.s", S.quiet, ones, Flags.nv),
        double("fcvt.w.d", 0x41df_ffff_ffc0_0000, 0x7fff_ffff, Flags.none),
        double("fcvt.w.d", 0x41df_ffff_ffe0_0000, 0x7fff_ffff, Flags.nx, .rtz),  // 2^31 - 0.5
        double("fcvt.w.d", 0x41df_ffff_ffe0_0000, 0x7fff_ffff, Flags.nv, .rup),
        double("fcvt.w.d", 0xc1e0_0000_0010_0000, 0xffff_ffff_8000_0000, Flags.nx, .rne),  // -2^31 - 0.5
        double("fcvt.w.d", 0xc1e0_0000_0010_0000, 0xffff_ffff_8000_0000, Flags.nv, .rdn),
        double("fcvt.w.d", D.signaling, 0x7fff_ffff, Flags.nv),
        double("fcvt.wu.d", 0x41ef_ffff_ffe0_0000, ones, Flags.none),
        double("fcvt.wu.d", 0x41f0_0000_0000_0000, ones, Flags.nv),
        double("fcvt.wu.d", D.minusInfinity, 0, Flags.nv),
    ])

    private static let toLongs: [InstructionCase] = Cases.joined([
        single("fcvt.l.s", 0x5f00_0000, 0x7fff_ffff_ffff_ffff, Flags.nv),  // 2^63
        single("fcvt.l.s", 0xdf00_0000, 0x8000_0000_0000_0000, Flags.none),
        single("fcvt.l.s", S.quiet, 0x7fff_ffff_ffff_ffff, Flags.nv),
        single("fcvt.lu.s", 0x5f00_0000, 0x8000_0000_0000_0000, Flags.none),
        single("fcvt.lu.s", 0x5f80_0000, ones, Flags.nv),
        single("fcvt.lu.s", S.minusOne, 0, Flags.nv),
        double("fcvt.l.d", 0x4008_0000_0000_0000, 3, Flags.none),
        double("fcvt.l.d", 0xc004_0000_0000_0000, ones - 1, Flags.nx, .rne),
        double("fcvt.l.d", 0x43e0_0000_0000_0000, 0x7fff_ffff_ffff_ffff, Flags.nv),
        double("fcvt.l.d", 0x43df_ffff_ffff_ffff, 0x7fff_ffff_ffff_fc00, Flags.none),
        double("fcvt.l.d", 0xc3e0_0000_0000_0000, 0x8000_0000_0000_0000, Flags.none),
        double("fcvt.l.d", D.smallest, 1, Flags.nx, .rup),
        double("fcvt.l.d", D.smallest, 0, Flags.nx, .rmm),
        double("fcvt.lu.d", 0x43ef_ffff_ffff_ffff, 0xffff_ffff_ffff_f800, Flags.none),
        double("fcvt.lu.d", 0x43f0_0000_0000_0000, ones, Flags.nv),
        double("fcvt.lu.d", 0xbfe8_0000_0000_0000, 0, Flags.nx, .rup),
        double("fcvt.lu.d", 0xbfe8_0000_0000_0000, 0, Flags.nv, .rdn),
    ])

    private static let fromIntegers: [InstructionCase] = Cases.joined([
        FloatingCases.fromInteger("fcvt.s.w", 0xffff_ffff_0000_0003, FloatingCases.box(S.three), Flags.none, .rne),
        FloatingCases.fromInteger("fcvt.s.w", ones, FloatingCases.box(S.minusOne), Flags.none, .rne),
        FloatingCases.fromInteger("fcvt.s.wu", ones, FloatingCases.box(0x4f80_0000), Flags.nx, .rne),
        FloatingCases.fromInteger("fcvt.s.wu", ones, FloatingCases.box(0x4f7f_ffff), Flags.nx, .rtz),
        FloatingCases.fromInteger("fcvt.s.w", 0x0100_0001, FloatingCases.box(0x4b80_0000), Flags.nx, .rne),
        FloatingCases.fromInteger("fcvt.s.w", 0x0100_0001, FloatingCases.box(0x4b80_0001), Flags.nx, .rup),
        FloatingCases.fromInteger("fcvt.s.w", 0, FloatingCases.box(S.zero), Flags.none, .rdn),
        FloatingCases.fromInteger("fcvt.s.l", 0x8000_0000_0000_0000, FloatingCases.box(0xdf00_0000), Flags.none, .rne),
        FloatingCases.fromInteger("fcvt.s.l", 0x7fff_ffff_ffff_ffff, FloatingCases.box(0x5f00_0000), Flags.nx, .rne),
        FloatingCases.fromInteger("fcvt.s.lu", ones, FloatingCases.box(0x5f80_0000), Flags.nx, .rne),
        FloatingCases.fromInteger("fcvt.s.lu", ones, FloatingCases.box(0x5f7f_ffff), Flags.nx, .rdn),
        // A double rounding through another format would go wrong here: 2^24 + 1 + 2^-40 scaled.
        FloatingCases.fromInteger(
            "fcvt.s.l", 0x0100_0001_0000_0001, FloatingCases.box(0x5b80_0001), Flags.nx, .rne),
        FloatingCases.fromInteger("fcvt.d.w", 0x8000_0000, 0xc1e0_0000_0000_0000, Flags.none),
        FloatingCases.fromInteger("fcvt.d.wu", 0xffff_ffff_8000_0000, 0x41e0_0000_0000_0000, Flags.none),
        FloatingCases.fromInteger("fcvt.d.l", ones, D.minusOne, Flags.none, .rne),
        FloatingCases.fromInteger("fcvt.d.l", 0x0020_0000_0000_0001, 0x4340_0000_0000_0000, Flags.nx, .rne),
        FloatingCases.fromInteger("fcvt.d.l", 0x0020_0000_0000_0001, 0x4340_0000_0000_0001, Flags.nx, .rmm),
        FloatingCases.fromInteger("fcvt.d.lu", ones, 0x43f0_0000_0000_0000, Flags.nx, .rne),
        FloatingCases.fromInteger("fcvt.d.lu", ones, 0x43ef_ffff_ffff_ffff, Flags.nx, .rtz),
    ])

    private static let betweenFormats: [InstructionCase] = Cases.joined([
        FloatingCases.arithmetic("fcvt.d.s", [FloatingCases.box(S.three)], D.three, Flags.none),
        FloatingCases.arithmetic("fcvt.d.s", [FloatingCases.box(S.smallest)], 0x36a0_0000_0000_0000, Flags.none),
        FloatingCases.arithmetic("fcvt.d.s", [FloatingCases.box(S.quietPayload)], D.quiet, Flags.none),
        FloatingCases.arithmetic("fcvt.d.s", [FloatingCases.box(S.signaling)], D.quiet, Flags.nv),
        FloatingCases.arithmetic("fcvt.d.s", [0x3f80_0000], D.quiet, Flags.none),
        FloatingCases.arithmetic("fcvt.d.s", [FloatingCases.box(S.minusInfinity)], D.minusInfinity, Flags.none),
        FloatingCases.arithmetic("fcvt.s.d", [D.three], FloatingCases.box(S.three), Flags.none),
        FloatingCases.arithmetic(
            "fcvt.s.d", [D.largest], FloatingCases.box(S.infinity), Flags.of | Flags.nx, .rne),
        FloatingCases.arithmetic("fcvt.s.d", [D.largest], FloatingCases.box(S.largest), Flags.of | Flags.nx, .rtz),
        FloatingCases.arithmetic("fcvt.s.d", [D.smallest], FloatingCases.box(S.zero), Flags.uf | Flags.nx, .rne),
        FloatingCases.arithmetic("fcvt.s.d", [D.smallest], FloatingCases.box(S.smallest), Flags.uf | Flags.nx, .rup),
        FloatingCases.arithmetic("fcvt.s.d", [D.quietPayload], FloatingCases.box(S.quiet), Flags.none),
        FloatingCases.arithmetic("fcvt.s.d", [D.signaling], FloatingCases.box(S.quiet), Flags.nv),
        FloatingCases.arithmetic(
            "fcvt.s.d", [0x3ff0_0000_1000_0000], FloatingCases.box(S.one), Flags.nx, .rne),
        FloatingCases.arithmetic(
            "fcvt.s.d", [0x3ff0_0000_1000_0000], FloatingCases.box(0x3f80_0001), Flags.nx, .rmm),
    ])

    /// Mnemonic without format, first, second, result, flags; for both formats by index into these values.
    private static let comparisons: [InstructionCase] = {
        let singles = [S.one, S.two, S.zero, S.minusZero, S.quiet, S.signaling, S.infinity].map(FloatingCases.box)
        let doubles = [D.one, D.two, D.zero, D.minusZero, D.quiet, D.signaling, D.infinity]
        let table: [(String, Int, Int, UInt64, UInt64)] = [
            ("feq", 0, 0, 1, 0), ("feq", 0, 1, 0, 0), ("feq", 2, 3, 1, 0), ("feq", 4, 0, 0, 0),
            ("feq", 4, 4, 0, 0), ("feq", 0, 5, 0, Flags.nv), ("feq", 6, 6, 1, 0),
            ("flt", 0, 1, 1, 0), ("flt", 1, 0, 0, 0), ("flt", 3, 2, 0, 0), ("flt", 0, 0, 0, 0), ("flt", 1, 6, 1, 0),
            ("flt", 4, 0, 0, Flags.nv), ("flt", 0, 5, 0, Flags.nv),
            ("fle", 0, 1, 1, 0), ("fle", 1, 0, 0, 0), ("fle", 0, 0, 1, 0), ("fle", 2, 3, 1, 0),
            ("fle", 0, 4, 0, Flags.nv), ("fle", 5, 5, 0, Flags.nv),
        ]
        return table.flatMap { mnemonic, first, second, result, flags in
            FloatingCases.toInteger("\(mnemonic).s", [singles[first], singles[second]], result, flags)
                + FloatingCases.toInteger("\(mnemonic).d", [doubles[first], doubles[second]], result, flags)
        }
    }()

    private static let classes: [InstructionCase] = {
        let singles: [UInt32] = [
            S.minusInfinity, S.minusOne, 0x8000_0001, S.minusZero, S.zero, S.smallest, S.one, S.infinity, S.signaling,
            S.quiet,
        ]
        let doubles: [UInt64] = [
            D.minusInfinity, D.minusOne, 0x8000_0000_0000_0001, D.minusZero, D.zero, D.smallest, D.one, D.infinity,
            D.signaling, D.quiet,
        ]
        return (0..<10).flatMap { bit in
            FloatingCases.toInteger("fclass.s", [FloatingCases.box(singles[bit])], 1 << UInt64(bit), Flags.none)
                + FloatingCases.toInteger("fclass.d", [doubles[bit]], 1 << UInt64(bit), Flags.none)
        }
    }()

    private static let memory: [InstructionCase] = {
        let bytes: [UInt8] = [0x01, 0x00, 0x80, 0x7f, 0x05, 0x06, 0x07, 0xf8, 0x09, 0x0a, 0x0b, 0x0c, 0x0d]
        func load(_ text: String, _ value: UInt64) -> InstructionCase {
            var one = InstructionCase(text)
            one.memory = bytes
            one.expectedF = [Register.fa0: value]
            return one
        }
        func store(_ text: String, _ after: [UInt8]) -> InstructionCase {
            var one = InstructionCase(text)
            one.f = [Register.fa1: 0x0102_0304_7f80_0001]
            one.expectedMemory = after
            return one
        }
        return [
            // A signaling NaN travels as it is.
            load("flw fa0, 0(s0)", 0xffff_ffff_7f80_0001), load("fld fa0, 0(s0)", 0xf807_0605_7f80_0001),
            load("flw fa0, 1(s0)", 0xffff_ffff_057f_8000), load("fld fa0, 3(s0)", 0x0b0a_09f8_0706_057f),
            store("fsw fa1, 0(s0)", [0x01, 0x00, 0x80, 0x7f]),
            store("fsd fa1, 0(s0)", [0x01, 0x00, 0x80, 0x7f, 0x04, 0x03, 0x02, 0x01]),
            store(
                "fsd fa1, 1(s0)", [InstructionCase.pattern(memory: 0), 0x01, 0x00, 0x80, 0x7f, 0x04, 0x03, 0x02, 0x01]),
        ]
    }()

    private static let control: [InstructionCase] = {
        func one(
            _ text: String, before: UInt64, after: UInt64, _ result: UInt64? = nil, traps: UInt64? = nil
        ) -> InstructionCase {
            var one = InstructionCase(text)
            one.fcsr = before
            one.x = [Register.a1: .constant(0xffff_ffff_ffff_ffff)]
            one.expectedFCSR = after
            if let result { one.expectedX = [Register.a0: .constant(result)] }
            if let traps { one.expectedTraps = [.init(cause: 2, offset: 0, tval: .constant(traps))] }
            return one
        }
        return [
            one("frcsr a0", before: 0x5f, after: 0x5f, 0x5f), one("frrm a0", before: 0x5f, after: 0x5f, 2),
            one("frflags a0", before: 0x5f, after: 0x5f, 0x1f),
            one("fscsr a0, a1", before: 0x21, after: 0xff, 0x21),  // only eight bits are there
            one("fsrm a0, a1", before: 0x21, after: 0xe1, 1), one("fsflags a0, a1", before: 0x20, after: 0x3f, 0),
            one("fsrmi a0, 4", before: 0x03, after: 0x83, 0), one("fsflagsi a0, 0", before: 0x9f, after: 0x80, 0x1f),
            // Accrued flags stay.
            one("fdiv.s fa1, fa1, fa1\nfmv.w.x fa1, x0\nfmv.w.x fa1, x0", before: 0x10, after: 0x10).with(
                f: [Register.fa1: FloatingCases.box(Single.one)], after: [Register.fa1: FloatingCases.box(0)]),
            // Reserved rounding modes, in the instruction or through frm.
            one(".word 0x00c5d553", before: 0, after: 0, traps: 0x00c5_d553),
            one(".word 0x00c5e553", before: 0, after: 0, traps: 0x00c5_e553),
            one("fadd.s fa0, fa1, fa2, dyn", before: 5 << 5, after: 5 << 5, traps: 0x00c5_f553),
            one("fadd.s fa0, fa1, fa2, dyn", before: 6 << 5, after: 6 << 5, traps: 0x00c5_f553),
            one("fadd.d fa0, fa1, fa2, dyn", before: 7 << 5, after: 7 << 5, traps: 0x02c5_f553),
            // A reserved frm does not matter where no rounding mode is used.
            one("fmv.x.w a0, fa1", before: 7 << 5, after: 7 << 5, 0x3f80_0000).with(
                f: [Register.fa1: FloatingCases.box(Single.one)], after: [:]),
        ]
    }()
}

extension InstructionCase {
    fileprivate func with(f before: [Int: UInt64], after: [Int: UInt64]) -> InstructionCase {
        var copy = self
        copy.f = before
        copy.expectedF = after
        return copy
    }
}
