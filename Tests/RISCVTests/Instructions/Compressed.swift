private typealias R = Register
private let ones: UInt64 = 0xffff_ffff_ffff_ffff

/// The C extension: every encoding, with its reserved ones and its hints (Unprivileged ISA 26).
enum Compressed {
    static let cases: [InstructionCase] =
        computation + registers + control + memory + stack + floating + hints + illegal

    private static func text(_ text: String, _ before: [Int: UInt64], _ after: [Int: UInt64]) -> [InstructionCase] {
        Cases.text(text, before, after, compressed: true)
    }

    private static let computation: [InstructionCase] = Cases.joined([
        text("c.nop", [:], [:]),
        text("c.addi a0, 31", [R.a0: 1], [R.a0: 32]), text("c.addi a0, -32", [R.a0: 1], [R.a0: ones - 30]),
        text("c.addi t0, -1", [R.t0: 0], [R.t0: ones]),
        text("c.addiw a0, 31", [R.a0: 0x7fff_ffff], [R.a0: 0xffff_ffff_8000_001e]),
        text("c.addiw a0, -32", [R.a0: 0x1_0000_0000], [R.a0: ones - 31]),
        text("c.addiw a0, 0", [R.a0: 0x1234_5678_8000_0000], [R.a0: 0xffff_ffff_8000_0000]),
        text("c.li a0, 31", [:], [R.a0: 31]), text("c.li a0, -32", [:], [R.a0: ones - 31]),
        text("c.li t0, 0", [:], [R.t0: 0]),
        text("c.lui a0, 1", [:], [R.a0: 0x1000]), text("c.lui a0, 31", [:], [R.a0: 0x1f000]),
        text("c.lui t0, 0xfffe0", [:], [R.t0: 0xffff_ffff_fffe_0000]),
        text("c.addi16sp sp, 496", [R.sp: 0x1000], [R.sp: 0x11f0]),
        text("c.addi16sp sp, -512", [R.sp: 0x1000], [R.sp: 0x0e00]),
        text("c.addi16sp sp, 16", [R.sp: 0x1008], [R.sp: 0x1018]),
        text("c.addi4spn a0, sp, 4", [R.sp: 0x1000], [R.a0: 0x1004]),
        text("c.addi4spn a5, sp, 1020", [R.sp: 0x1000], [R.a5: 0x13fc]),
        text("c.addi4spn s0, sp, 512", [R.sp: 0x1000], [R.s0: 0x1200]),
        text("c.slli a0, 1", [R.a0: 3], [R.a0: 6]), text("c.slli t0, 63", [R.t0: 3], [R.t0: 1 << 63]),
        text("c.slli a0, 32", [R.a0: 3], [R.a0: 0x3_0000_0000]),
        text("c.srli a0, 63", [R.a0: ones], [R.a0: 1]), text("c.srli a5, 1", [R.a5: ones], [R.a5: ones >> 1]),
        text("c.srai a0, 63", [R.a0: 1 << 63], [R.a0: ones]), text("c.srai s1, 33", [R.s1: 1 << 62], [R.s1: 1 << 29]),
        text("c.andi a0, 31", [R.a0: ones], [R.a0: 31]), text("c.andi a0, -32", [R.a0: 0xff], [R.a0: 0xe0]),
    ])

    private static let registers: [InstructionCase] = Cases.joined([
        text("c.mv a0, a1", [R.a1: 5], [R.a0: 5]), text("c.mv t0, a1", [R.a1: ones], [R.t0: ones]),
        text("c.add a0, a1", [R.a0: ones, R.a1: 2], [R.a0: 1]), text("c.add t0, t0", [R.t0: 4], [R.t0: 8]),
        text("c.sub a0, a1", [R.a0: 1, R.a1: 2], [R.a0: ones]),
        text("c.xor a0, a1", [R.a0: 0xff, R.a1: 0x0f], [R.a0: 0xf0]),
        text("c.or a0, a1", [R.a0: 0xf0, R.a1: 0x0f], [R.a0: 0xff]),
        text("c.and a0, a1", [R.a0: 0xf0, R.a1: 0x3c], [R.a0: 0x30]),
        text("c.subw a0, a1", [R.a0: 0x8000_0000, R.a1: 1], [R.a0: 0x7fff_ffff]),
        text("c.addw a0, a1", [R.a0: 0x7fff_ffff, R.a1: 1], [R.a0: 0xffff_ffff_8000_0000]),
        text("c.sub s1, s1", [R.s1: 7], [R.s1: 0]),
    ])

    private static let control: [InstructionCase] = {
        var cases = [
            text("c.j 1f\nc.li a0, 1\n1:", [:], [:]),
            text("c.j 2f\n1: c.j 3f\n2: c.j 1b\nc.li a0, 1\n3:", [:], [:]),
            text("c.beqz a1, 1f\nc.li a0, 1\n1:", [R.a1: 0], [:]),
            text("c.beqz a1, 1f\nc.li a0, 1\n1:", [R.a1: 1 << 63], [R.a0: 1]),
            text("c.bnez a1, 1f\nc.li a0, 1\n1:", [R.a1: 1 << 63], [:]),
            text("c.bnez a1, 1f\nc.li a0, 1\n1:", [R.a1: 0], [R.a0: 1]),
            text("1: c.addi a1, -1\nc.bnez a1, 1b", [R.a1: 100], [R.a1: 0]),
            // The farthest targets: 254 and -256 for branches, 2046 and -2048 for jumps.
            text("c.beqz a1, 1f\n.skip 252\n1:", [R.a1: 0], [:]),
            text("c.j 2f\n1: c.j 3f\n.skip 252\nc.nop\n2: c.beqz a1, 2b - 256\n3:", [R.a1: 0], [:]),
            text("c.j 1f\n.skip 2044\n1:", [:], [:]),
            text(".option norvc\nj 2f\n.option rvc\n1: c.j 3f\n.skip 2046\n2: c.j 1b\n3:", [:], [:]),
        ].flatMap { $0 }
        func jump(_ text: String, _ target: Int64, _ after: [Int: InstructionCase.Value]) -> InstructionCase {
            var one = InstructionCase(text)
            one.compressed = true
            one.x = [R.a1: .code(target)]
            one.expectedX = after
            return one
        }
        cases += [
            jump("c.jr a1\nc.li a0, 1\n1:", 4, [:]), jump("c.jr a1\nc.li a0, 1\n1:", 5, [:]),
            jump("c.jalr a1\nc.li a0, 1\n1:", 4, [R.ra: .code(2)]),
            jump("c.jalr a1\nc.li a0, 1\n1:", 5, [R.ra: .code(2)]),
            jump("c.mv ra, a1\nc.jalr ra\nc.li a0, 1\n1:", 6, [R.ra: .code(4)]),
        ]
        var breakpoint = InstructionCase("c.ebreak")
        breakpoint.compressed = true
        breakpoint.needs = .breakpointAddress
        breakpoint.expectedTraps = [.init(cause: 3, offset: 0, tval: .code(0))]
        return cases + [breakpoint]
    }()

    private static let bytes: [UInt8] = (0..<16).map { 0xf0 | $0 }

    private static func access(
        _ text: String, base: (register: Int, offset: Int64), x: [Int: UInt64] = [:], f: [Int: UInt64] = [:],
        afterX: [Int: UInt64] = [:], afterF: [Int: UInt64] = [:], memory: [UInt8]? = nil
    ) -> InstructionCase {
        var one = InstructionCase(text)
        one.compressed = true
        one.memory = bytes
        one.x = x.mapValues { .constant($0) }
        one.x[base.register] = .scratch(base.offset)
        one.f = f
        one.expectedX = afterX.mapValues { .constant($0) }
        one.expectedF = afterF
        one.expectedMemory = memory
        return one
    }

    private static let word: UInt64 = 0xffff_ffff_f3f2_f1f0
    private static let long: UInt64 = 0xf7f6_f5f4_f3f2_f1f0
    private static let value: UInt64 = 0x0807_0605_0403_0201

    private static let memory: [InstructionCase] = [
        access("c.lw a0, 0(a1)", base: (R.a1, 0), afterX: [R.a0: word]),
        access("c.lw a0, 124(a1)", base: (R.a1, -124), afterX: [R.a0: word]),
        access("c.lw a0, 64(a1)", base: (R.a1, -64), afterX: [R.a0: word]),
        access("c.lw a5, 4(a5)", base: (R.a5, -4), afterX: [R.a5: word]),
        access("c.ld a0, 0(a1)", base: (R.a1, 0), afterX: [R.a0: long]),
        access("c.ld a0, 248(a1)", base: (R.a1, -248), afterX: [R.a0: long]),
        access("c.ld a0, 64(a1)", base: (R.a1, -64), afterX: [R.a0: long]),
        access("c.ld a0, 8(a1)", base: (R.a1, -7), afterX: [R.a0: 0xf8f7_f6f5_f4f3_f2f1]),
        access("c.sw a2, 0(a1)", base: (R.a1, 0), x: [R.a2: value], memory: [1, 2, 3, 4]),
        access("c.sw a2, 124(a1)", base: (R.a1, -124), x: [R.a2: value], memory: [1, 2, 3, 4]),
        access("c.sd a2, 0(a1)", base: (R.a1, 0), x: [R.a2: value], memory: [1, 2, 3, 4, 5, 6, 7, 8]),
        access("c.sd a2, 248(a1)", base: (R.a1, -248), x: [R.a2: value], memory: [1, 2, 3, 4, 5, 6, 7, 8]),
    ]

    private static let stack: [InstructionCase] = [
        access("c.lwsp a0, 0(sp)", base: (R.sp, 0), afterX: [R.a0: word]),
        access("c.lwsp t0, 252(sp)", base: (R.sp, -252), afterX: [R.t0: word]),
        access("c.lwsp a0, 64(sp)", base: (R.sp, -64), afterX: [R.a0: word]),
        access("c.ldsp a0, 0(sp)", base: (R.sp, 0), afterX: [R.a0: long]),
        access("c.ldsp ra, 504(sp)", base: (R.sp, -504), afterX: [R.ra: long]),
        access("c.ldsp sp, 64(sp)", base: (R.sp, -64), afterX: [R.sp: long]),
        access("c.swsp t0, 252(sp)", base: (R.sp, -252), x: [R.t0: value], memory: [1, 2, 3, 4]),
        access("c.sdsp t0, 504(sp)", base: (R.sp, -504), x: [R.t0: value], memory: [1, 2, 3, 4, 5, 6, 7, 8]),
        access("c.sdsp x0, 64(sp)", base: (R.sp, -64), memory: [0, 0, 0, 0, 0, 0, 0, 0]),
    ]

    private static let floating: [InstructionCase] = [
        access("c.fld fa0, 0(a1)", base: (R.a1, 0), afterF: [R.fa0: long]),
        access("c.fld fa0, 248(a1)", base: (R.a1, -248), afterF: [R.fa0: long]),
        access("c.fldsp fa0, 0(sp)", base: (R.sp, 0), afterF: [R.fa0: long]),
        access("c.fldsp ft0, 504(sp)", base: (R.sp, -504), afterF: [0: long]),
        access("c.fsd fa2, 248(a1)", base: (R.a1, -248), f: [R.fa2: value], memory: [1, 2, 3, 4, 5, 6, 7, 8]),
        access("c.fsdsp ft0, 504(sp)", base: (R.sp, -504), f: [0: value], memory: [1, 2, 3, 4, 5, 6, 7, 8]),
    ]

    /// Encodings that compute into x0 or by nothing do nothing.
    private static let hints: [InstructionCase] = [
        0x0005,  // c.nop with an immediate
        0x1001,  // c.nop with the sign bit
        0x0501,  // c.addi a0, 0
        0x4005,  // c.li x0, 1
        0x6005,  // c.lui x0, 1
        0x802e,  // c.mv x0, a1
        0x902e,  // c.add x0, a1
        0x0006,  // c.slli x0, 1
        0x0502,  // c.slli a0, 0
        0x8101,  // c.srli a0, 0
        0x8501,  // c.srai a0, 0
    ].flatMap { Cases.text(".half 0x\(String($0, radix: 16))") }

    private static let illegal: [InstructionCase] = [
        0x0000,  // defined illegal
        0x0008,  // c.addi4spn a0, sp, 0
        0x0004,  // c.addi4spn s1, sp, 0
        0x2001,  // c.addiw x0, 0
        0x2005,  // c.addiw x0, 1
        0x6101,  // c.addi16sp sp, 0
        0x6501,  // c.lui a0, 0
        0x6081,  // c.lui ra, 0 (and Zcmop without Zcmop)
        0x4002,  // c.lwsp x0, 0(sp)
        0x6002,  // c.ldsp x0, 0(sp)
        0x8002,  // c.jr x0
        0x8000, 0x8400, 0x8800, 0x8c00, 0x9c00,  // quadrant 0, 100: Zcb
        0x9c41, 0x9c61,  // quadrant 1, 100-1-11: reserved (Zcb)
    ].flatMap { Cases.trap(".half 0x\(String($0, radix: 16))", cause: 2, tval: .constant($0)) }
}
