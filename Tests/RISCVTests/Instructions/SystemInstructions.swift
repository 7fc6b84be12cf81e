private typealias R = Register

/// Encodings that must trap, environment calls and breakpoints, CSR instructions, cache-block operations, in M-mode.
enum SystemInstructions {
    static let cases: [InstructionCase] = illegal + environment + registers + blocks

    /// Reserved and absent encodings, each with itself as mtval.
    private static let illegal: [InstructionCase] =
        ([
            0xffff_ffff, 0x0000_007f, 0x0000_001f,
            0x0000_700f,  // MISC-MEM with a reserved function
            0x0000_300f,
            0x0000_7003, 0x0000_4023, 0x0000_7023,  // load and stores of no width
            0x0000_2063, 0x0000_3063,  // branches of no condition
            0x0000_1067, 0x0000_7067,  // jalr with another function
            0x0400_1013,  // slli with a high bit
            0x0400_5013, 0x8000_5013,
            0x0200_101b, 0x0200_501b, 0x4200_501b,  // word shifts by 32 or more
            0x0000_201b, 0x0000_701b,
            0x0400_0033, 0x8000_0033, 0x4000_1033, 0x4000_2033,
            0x0000_203b, 0x4000_103b, 0x0200_103b, 0x0200_203b, 0x0200_303b,
            0x0000_0057, 0x0000_0077, 0x0000_002b, 0x0000_000b, 0x0000_005b, 0x0000_007b,
            0x0000_002f, 0x0000_102f, 0x0000_402f,  // AMOs of no width
            0x1010_202f, 0x1010_302f,  // lr with rs2
            0x2800_202f, 0xf800_302f,  // AMOs of no operation
            0x0000_4007, 0x0000_4027,  // floating loads and stores of no width (quad)
            0x0400_0053, 0x0600_0053,  // half and quad arithmetic
            0x5810_0053, 0x5a10_0053,  // square roots with rs2
            0x2000_3053, 0x2200_3053,  // sign injection of no kind
            0x2800_2053, 0x2a00_3053,  // minimum of no kind
            0xa000_3053, 0xa200_4053,  // comparison of no kind
            0xc040_0053, 0xc240_0053, 0xd040_0053, 0xd240_0053,  // conversions of no integer type
            0x4000_0053, 0x4210_0053, 0x4030_0053, 0x4420_0053,  // single to single and the like
            0xe000_2053, 0xe010_0053, 0xe200_2053, 0xf000_1053, 0xf010_0053, 0xf200_1053,
            0x0400_0043, 0x0600_004f,  // fused, half and quad
            0x0000_4073,  // SYSTEM with function 4
            0x0010_00f3, 0x0010_8073, 0x0000_00f3, 0x0000_8073,  // ebreak and ecall with registers
            0x0020_0073,  // uret
            0x3020_00f3, 0x1020_8073, 0x1050_0873, 0x7b20_0073,  // mret, sret, wfi with registers; dret
            0x6070_1013, 0x6060_1013, 0x6030_101b, 0x6040_101b,  // unary bit manipulation of no kind
            0x2860_5013, 0x6b70_5013, 0x6980_5013,  // orc.b and rev8 with other operands
            0x0810_403b, 0x0a00_1033, 0x0a00_2033, 0x0a00_3033,  // zext.h with rs2; carry-less multiplication
        ] as [UInt64]).flatMap { word in
            Cases.trap(".word 0x\(String(word, radix: 16))", cause: 2, tval: .constant(word))
        }

    private static let environment: [InstructionCase] = {
        var call = InstructionCase("ecall\nli a0, 5")
        call.expectedTraps = [.init(cause: 11, offset: 0, tval: .constant(0))]
        call.expectedX = [R.a0: .constant(5)]
        // mtval of a breakpoint holds its address.
        var breakpoint = InstructionCase("ebreak\nli a0, 5")
        breakpoint.needs = .breakpointAddress
        breakpoint.expectedTraps = [.init(cause: 3, offset: 0, tval: .code(0))]
        breakpoint.expectedX = [R.a0: .constant(5)]
        return [call, breakpoint]
    }()

    private static let registers: [InstructionCase] = Cases.joined([
        Cases.text(
            "csrrw a0, mtval, a1\ncsrr a2, mtval", [R.a1: 0x1234_5678_9abc_def0],
            [R.a0: 0, R.a2: 0x1234_5678_9abc_def0]),
        Cases.text(
            "csrw sscratch, a1\ncsrrs a0, sscratch, a2\ncsrr a3, sscratch", [R.a1: 0xf0, R.a2: 0x3c],
            [R.a0: 0xf0, R.a3: 0xfc]),
        Cases.text(
            "csrw sscratch, a1\ncsrrc a0, sscratch, a2\ncsrr a3, sscratch", [R.a1: 0xf0, R.a2: 0x3c],
            [R.a0: 0xf0, R.a3: 0xc0]),
        Cases.text("csrrwi a0, sscratch, 31\ncsrr a3, sscratch", [:], [R.a0: 0, R.a3: 31]),
        Cases.text("csrwi sscratch, 16\ncsrrsi a0, sscratch, 3\ncsrr a3, sscratch", [:], [R.a0: 16, R.a3: 19]),
        Cases.text("csrwi sscratch, 19\ncsrrci a0, sscratch, 3\ncsrr a3, sscratch", [:], [R.a0: 19, R.a3: 16]),
        // The old value is read before rd, even when rd is the source.
        Cases.text("csrwi sscratch, 5\ncsrrw a1, sscratch, a1\ncsrr a3, sscratch", [R.a1: 9], [R.a1: 5, R.a3: 9]),
        Cases.text("csrrw x0, sscratch, a1\ncsrr a3, sscratch", [R.a1: 9], [R.a3: 9]),
        // Set and clear with x0 or 0 do not write, so read-only registers may be read with them, ...
        Cases.text("csrrs a0, mhartid, x0\ncsrrc a2, mhartid, x0", [:], [R.a0: 0, R.a2: 0]),
        Cases.text("csrrsi a0, mhartid, 0\ncsrrci a2, mhartid, 0", [:], [R.a0: 0, R.a2: 0]),
        // ... and everything else that names them is illegal, whatever the value.
        Cases.trap(".word 0xf145a573", cause: 2, tval: .constant(0xf145_a573), [R.a1: 0]).map {
            // csrrs with a1
            var one = $0
            one.needs = .readOnlyWhateverTheOperand
            return one
        },
        Cases.trap(".word 0xf1401573", cause: 2, tval: .constant(0xf140_1573)),  // csrrw with x0
        Cases.trap(".word 0xf140d573", cause: 2, tval: .constant(0xf140_d573)),  // csrrwi
        Cases.trap(".word 0xf145f073", cause: 2, tval: .constant(0xf145_f073)),  // csrrci
        Cases.trap(".word 0xc0001073", cause: 2, tval: .constant(0xc000_1073)),  // csrw cycle
        // Registers that are not there.
        Cases.trap(".word 0x0055a573", cause: 2, tval: .constant(0x0055_a573), [R.a1: 0]),
        Cases.trap(".word 0x7c002573", cause: 2, tval: .constant(0x7c00_2573)),
        Cases.trap(".word 0x3a102573", cause: 2, tval: .constant(0x3a10_2573)),  // pmpcfg1 is of RV32
        Cases.trap(".word 0xc8002573", cause: 2, tval: .constant(0xc800_2573)),  // cycleh as well
        Cases.trap(".word 0x31002573", cause: 2, tval: .constant(0x3100_2573)),  // mstatush, too
    ])

    private static let blocks: [InstructionCase] = {
        // Zicboz zeroes the aligned 64 bytes that hold the address.
        func zero(_ offset: Int64) -> InstructionCase {
            var one = InstructionCase("cbo.zero (a1)")
            one.needs = .zicboz
            one.x = [R.a1: .scratch(offset)]
            one.expectedMemory = [UInt8](repeating: 0, count: 64)
            return one
        }
        var management = InstructionCase("cbo.clean (s0)\ncbo.flush (s0)\ncbo.inval (s0)\ncbo.clean (a1)")
        management.needs = .zicbom
        management.x = [R.a1: .scratch(7)]
        var reserved = InstructionCase(".word 0x0034200f")
        reserved.needs = .zicbom
        reserved.expectedTraps = [.init(cause: 2, offset: 0, tval: .constant(0x0034_200f))]
        return [zero(0), zero(1), zero(63), management, reserved]
    }()
}
