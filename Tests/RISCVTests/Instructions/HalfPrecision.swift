private typealias S = Single
private typealias D = Double64

/// Zfhmin: conversions at their bounds, moves, loads and stores (Unprivileged Architecture, chapter "Zfh").
enum HalfPrecision {
    static let cases: [InstructionCase] = widening + fromSingle + fromDouble + moves + memory

    private static func widen(_ half: UInt16, single: UInt32, double: UInt64, _ flags: UInt64 = 0) -> [InstructionCase]
    {
        let source = [FloatingCases.box(half: half)]
        return FloatingCases.arithmetic("fcvt.s.h", source, FloatingCases.box(single), flags)
            + FloatingCases.arithmetic("fcvt.d.h", source, double, flags)
    }

    private static let widening: [InstructionCase] = Cases.joined([
        widen(0, single: S.zero, double: D.zero), widen(0x8000, single: S.minusZero, double: D.minusZero),
        widen(0x3c00, single: S.one, double: D.one), widen(0xbc00, single: S.minusOne, double: D.minusOne),
        widen(0x7bff, single: 0x477f_e000, double: 0x40ef_fc00_0000_0000),
        widen(0x0400, single: 0x3880_0000, double: 0x3f10_0000_0000_0000),
        widen(0x03ff, single: 0x387f_c000, double: 0x3f0f_f800_0000_0000),
        widen(0x8001, single: 0xb380_0000, double: 0xbe70_0000_0000_0000),
        widen(0x7c00, single: S.infinity, double: D.infinity),
        widen(0xfc00, single: S.minusInfinity, double: D.minusInfinity),
        widen(0xfe55, single: S.quiet, double: D.quiet), widen(0x7c01, single: S.quiet, double: D.quiet, Flags.nv),
        // What is not boxed is a quiet NaN.
        FloatingCases.arithmetic("fcvt.s.h", [FloatingCases.box(0x0000_3c00)], FloatingCases.box(S.quiet), 0),
        FloatingCases.arithmetic("fcvt.d.h", [0x3c00], D.quiet, 0),
    ])

    private static func narrow(
        _ source: UInt32, _ half: UInt16, _ flags: UInt64, _ mode: RoundingName? = nil
    ) -> [InstructionCase] {
        FloatingCases.arithmetic(
            "fcvt.h.s", [FloatingCases.box(source)], FloatingCases.box(half: half), flags, mode)
    }

    private static let inexactOverflow = Flags.of | Flags.nx
    private static let inexactUnderflow = Flags.uf | Flags.nx

    private static let fromSingle: [InstructionCase] = Cases.joined([
        narrow(S.zero, 0, 0), narrow(S.minusZero, 0x8000, 0), narrow(S.one, 0x3c00, 0), narrow(S.half, 0x3800, 0),
        narrow(S.infinity, 0x7c00, 0), narrow(S.minusInfinity, 0xfc00, 0), narrow(S.quietPayload, 0x7e00, 0),
        narrow(S.signaling, 0x7e00, Flags.nv),
        // Ties: 1 + 2^-11 and 1 + 3 * 2^-11.
        narrow(0x3f80_1000, 0x3c00, Flags.nx, .rne), narrow(0x3f80_1000, 0x3c01, Flags.nx, .rmm),
        narrow(0x3f80_1000, 0x3c01, Flags.nx, .rup), narrow(0x3f80_1000, 0x3c00, Flags.nx, .rdn),
        narrow(0xbf80_1000, 0xbc01, Flags.nx, .rdn), narrow(0xbf80_1000, 0xbc00, Flags.nx, .rtz),
        narrow(0x3f80_3000, 0x3c02, Flags.nx, .rne), narrow(0x3f80_3000, 0x3c01, Flags.nx, .rtz),
        // 65520 is where rounding to nearest overflows.
        narrow(0x477f_efff, 0x7bff, Flags.nx, .rne), narrow(0x477f_f000, 0x7c00, inexactOverflow, .rne),
        narrow(0x477f_f000, 0x7bff, Flags.nx, .rtz), narrow(0x4780_0000, 0x7bff, inexactOverflow, .rtz),
        narrow(S.largest, 0x7c00, inexactOverflow, .rmm), narrow(S.largest, 0x7bff, inexactOverflow, .rdn),
        narrow(0xff7f_ffff, 0xfbff, inexactOverflow, .rup), narrow(0xff7f_ffff, 0xfc00, inexactOverflow, .rdn),
        // Subnormal results. Tininess is judged after rounding: 2^-14 - 2^-26 is not tiny, 2^-14 - 2^-25 is.
        narrow(0x3880_0000, 0x0400, 0), narrow(0x387f_c000, 0x03ff, 0), narrow(0x3380_0000, 1, 0),
        narrow(0x387f_f000, 0x0400, Flags.nx, .rne), narrow(0x387f_e000, 0x0400, inexactUnderflow, .rne),
        narrow(0x387f_f000, 0x03ff, inexactUnderflow, .rtz),
        narrow(0x3300_0000, 0, inexactUnderflow, .rne), narrow(0x3300_0001, 1, inexactUnderflow, .rne),
        narrow(0x3300_0000, 1, inexactUnderflow, .rmm), narrow(S.smallest, 1, inexactUnderflow, .rup),
        narrow(0x8000_0001, 0x8001, inexactUnderflow, .rdn), narrow(S.smallest, 0, inexactUnderflow, .rtz),
    ])

    private static func narrow(
        double source: UInt64, _ half: UInt16, _ flags: UInt64, _ mode: RoundingName? = nil
    ) -> [InstructionCase] {
        FloatingCases.arithmetic("fcvt.h.d", [source], FloatingCases.box(half: half), flags, mode)
    }

    private static let fromDouble: [InstructionCase] = Cases.joined([
        narrow(double: D.one, 0x3c00, 0), narrow(double: D.quietPayload, 0x7e00, 0),
        narrow(double: D.signaling, 0x7e00, Flags.nv),
        // One rounding: by way of single precision, 1 + 2^-11 + 2^-40 would become a tie.
        narrow(double: 0x3ff0_0200_0000_1000, 0x3c01, Flags.nx, .rne),
        narrow(double: 0x3ff0_0200_0000_0000, 0x3c00, Flags.nx, .rne),
        narrow(double: D.largest, 0x7c00, inexactOverflow, .rne),
        narrow(double: D.largest, 0x7bff, inexactOverflow, .rtz),
        narrow(double: 0x40ef_fdff_ffff_ffff, 0x7bff, Flags.nx, .rne),
        narrow(double: D.smallest, 1, inexactUnderflow, .rup), narrow(double: D.smallest, 0, inexactUnderflow, .rne),
        narrow(double: 0x3e60_0000_0000_0001, 1, inexactUnderflow, .rne),
    ])

    private static let moves: [InstructionCase] = Cases.joined([
        FloatingCases.toInteger("fmv.x.h", [FloatingCases.box(half: 0x7bff)], 0x7bff, 0),
        FloatingCases.toInteger("fmv.x.h", [0x1234_5678_9abc_8001], 0xffff_ffff_ffff_8001, 0),
        FloatingCases.fromInteger("fmv.h.x", 0x1234_5678_9abc_7c01, FloatingCases.box(half: 0x7c01), 0),
        FloatingCases.fromInteger("fmv.h.x", 0, FloatingCases.box(half: 0), 0),
        Cases.trap(".word 0x40255553", cause: 2, tval: .constant(0x4025_5553)),  // a reserved rounding mode
        Cases.trap(".word 0x4405e553", cause: 2, tval: .constant(0x4405_e553)),
    ])

    private static let memory: [InstructionCase] = {
        var load = InstructionCase("flh fa0, 3(s0)")
        load.memory = [0, 0, 0, 0xcd, 0xab, 0]
        load.expectedMemory = load.memory
        load.expectedF = [Register.fa0: FloatingCases.box(half: 0xabcd)]
        var store = InstructionCase("fsh fa1, 1(s0)")
        store.f = [Register.fa1: 0x1234_5678_9abc_def0]
        store.memory = [1, 2, 3, 4]
        store.expectedMemory = [1, 0xf0, 0xde, 4]
        return [load, store]
    }()
}
