import GuestMemory
import Machine
import Testing

@testable import RISCV

/// What instructions of the F and D extensions do besides arithmetic: NaN boxing, the state of the unit, rounding modes,
/// memory (Unprivileged Architecture, chapters F and D; Privileged Architecture 3.1.6.6).
@Suite struct FloatingPointInstructionTests {
    private static let boxedOne: UInt64 = 0xFFFF_FFFF_3F80_0000
    private static let boxedNaN: UInt64 = 0xFFFF_FFFF_7FC0_0000
    /// The double 1 is no boxed single, and neither is a single with a hole in its upper half.
    private static let unboxed: [UInt64] = [0x3FF0_0000_0000_0000, 0xFFFF_FFFE_3F80_0000, 0x3F80_0000]
    private static let fieldOfStatus: UInt64 = 3 << 13

    private func run(
        _ name: String, _ a: UInt64 = 0, _ b: UInt64 = 0, x: UInt64 = 0
    ) throws -> (float: UInt64, integer: UInt64, flags: UInt8) {
        let instruction = try SingleInstruction(name)
        let state = instruction.hart.state
        state.pointee.f[10] = a
        state.pointee.f[11] = b
        state.pointee.x[10] = x
        #expect(instruction.execute())
        return (state.pointee.f[13], state.pointee.x[13], state.pointee.csr.fflags)
    }

    // MARK: NaN boxing

    @Test func aSingleThatIsNotBoxedReadsAsTheCanonicalNaN() throws {
        for operand in Self.unboxed {
            #expect(try run("fadd.s", operand, Self.boxedOne) == (Self.boxedNaN, 0, 0))
            #expect(try run("fadd.s", Self.boxedOne, operand) == (Self.boxedNaN, 0, 0))
            #expect(try run("fsgnj.s", operand, Self.boxedOne) == (Self.boxedNaN, 0, 0))
            #expect(try run("fsgnjn.s", Self.boxedOne, operand) == (0xFFFF_FFFF_BF80_0000, 0, 0))
            #expect(try run("fmin.s", operand, Self.boxedOne) == (Self.boxedOne, 0, 0))
            #expect(try run("feq.s", operand, operand) == (0, 0, 0))
            #expect(try run("flt.s", operand, Self.boxedOne) == (0, 0, 16))
            #expect(try run("fclass.s", operand) == (0, 1 << 9, 0))
            #expect(try run("fcvt.w.s", operand) == (0, 0x7FFF_FFFF, 16))
            #expect(try run("fcvt.d.s", operand) == (0x7FF8_0000_0000_0000, 0, 0))
            #expect(try run("fsqrt.s", operand) == (Self.boxedNaN, 0, 0))
        }
        let fused = try SingleInstruction("fmadd.s")
        for register in 10...12 {
            for index in 10...12 { fused.hart[float: index] = index == register ? 0x3F80_0000 : Self.boxedOne }
            #expect(fused.execute())
            #expect(fused.hart[float: 13] == Self.boxedNaN)
        }
    }

    @Test func movesAndStoresTakeTheLowBitsOfWhateverIsThere() throws {
        #expect(try run("fmv.x.w", 0x0123_4567_89AB_CDEF).integer == 0xFFFF_FFFF_89AB_CDEF)
        #expect(try run("fmv.x.w", 0xFFFF_FFFF_7F80_0001) == (0, 0x7F80_0001, 0))
        #expect(try run("fmv.x.d", 0x0123_4567_89AB_CDEF).integer == 0x0123_4567_89AB_CDEF)
        let store = try SingleInstruction("fsw")
        store.hart[integer: 10] = 0x8000_0100
        store.hart[float: 11] = 0x0123_4567_89AB_CDEF
        #expect(store.execute())
        let memory = store.hart.state.pointee.addressSpace.memory
        #expect(try memory.load(UInt64.self, at: 0x8000_0100) == 0x89AB_CDEF)
    }

    @Test func everySingleResultIsBoxed() throws {
        #expect(try run("fmv.w.x", x: 0x1234_5678_7F80_0001).float == 0xFFFF_FFFF_7F80_0001)
        #expect(try run("fsgnjx.s", Self.boxedOne, 0xFFFF_FFFF_8000_0000).float == 0xFFFF_FFFF_BF80_0000)
        #expect(try run("fmax.s", Self.boxedOne, 0xFFFF_FFFF_8000_0000).float == Self.boxedOne)
        #expect(try run("fcvt.s.d", 0x3FF0_0000_0000_0000).float == Self.boxedOne)
        #expect(try run("fcvt.s.w", x: 1).float == Self.boxedOne)
        #expect(try run("fmv.d.x", x: 0x3F80_0000).float == 0x3F80_0000)
    }

    // MARK: Integers

    @Test func conversionsOfWordsExtendTheSignAlsoOfUnsignedOnes() throws {
        #expect(try run("fcvt.wu.d", 0x41E0_0000_0000_0000).integer == 0xFFFF_FFFF_8000_0000)
        #expect(try run("fcvt.wu.d", 0x7FF8_0000_0000_0000) == (0, .max, 16))
        #expect(try run("fcvt.w.d", 0x7FF8_0000_0000_0000) == (0, 0x7FFF_FFFF, 16))
        #expect(try run("fcvt.w.d", 0xFFF0_0000_0000_0000) == (0, 0xFFFF_FFFF_8000_0000, 16))
        #expect(try run("fcvt.wu.s", 0xFFFF_FFFF_BF80_0000) == (0, 0, 16))
        // Only the low word counts on the way back.
        #expect(try run("fcvt.d.w", x: 0x1234_5678_FFFF_FFFF).float == 0xBFF0_0000_0000_0000)
        #expect(try run("fcvt.d.wu", x: 0x1234_5678_FFFF_FFFF).float == 0x41EF_FFFF_FFE0_0000)
    }

    @Test func resultsForX0AreDropped() throws {
        let hart = try SingleInstruction("fcvt.w.s").hart
        let row = try #require(InstructionTable.find(0xC005_0053))
        var operation = Operation(row, bits: 0xC005_0053)
        hart[float: 10] = Self.boxedOne
        withUnsafeMutablePointer(to: &operation) {
            #expect($0.pointee.execute(HartReference(hart.state), OperationReference($0)) != nil)
        }
        #expect(hart[integer: 0] == 0)
    }

    // MARK: The state of the unit

    private func status(_ instruction: SingleInstruction) -> UInt64 {
        instruction.hart.readCSR(CSR.mstatus)! & Self.fieldOfStatus
    }

    private func isIllegal(_ instruction: SingleInstruction, rounding field: Int = 0) -> Bool {
        instruction.hart.writeCSR(CSR.mcause, 0)
        return !instruction.execute(rounding: field) && instruction.hart.readCSR(CSR.mcause) == 2
    }

    @Test(arguments: (floatingPointInstructions + halfPrecisionInstructions).map(\.name))
    func withTheUnitOffEveryInstructionIsIllegal(_ name: String) throws {
        let instruction = try SingleInstruction(name)
        instruction.hart[integer: 10] = 0x8000_0100
        instruction.hart[integer: 13] = 77
        instruction.hart[float: 13] = 78
        instruction.hart.writeCSR(CSR.mstatus, 0)
        #expect(isIllegal(instruction))
        #expect(instruction.hart[integer: 13] == 77)
        #expect(instruction.hart[float: 13] == 78)
        #expect(
            instruction.hart.readCSR(CSR.mtval)! & 0x7F == InstructionTable.all.first { $0.name == name }!.match & 0x7F)
        #expect(status(instruction) == 0)
    }

    @Test func writingARegisterOrNewFlagsMakesTheStateDirtyAndNothingElseDoes() throws {
        // Name, operands, and whether the state is dirty afterwards.
        let cases: [(String, UInt64, UInt64, Bool)] = [
            ("fadd.d", 0, 0, true), ("fsgnj.s", 0, 0, true), ("fmv.d.x", 0, 0, true), ("flw", 0, 0, true),
            ("fld", 0, 0, true), ("fcvt.s.w", 0, 0, true), ("fmadd.s", 0, 0, true), ("fmin.d", 0, 0, true),
            ("fcvt.s.d", 0, 0, true), ("fcvt.w.d", 0x3FF8_0000_0000_0000, 0, true), ("fsd", 0, 0, false),
            ("fsw", 0, 0, false), ("fcvt.w.d", 0x3FF0_0000_0000_0000, 0, false), ("fmv.x.w", 0, 0, false),
            ("fmv.x.d", 0, 0, false), ("fclass.d", 0, 0, false), ("feq.d", 0, 0, false),
            ("feq.d", 0x7FF0_0000_0000_0001, 0, true), ("flt.d", 0x7FF8_0000_0000_0000, 0, true),
        ]
        for (name, a, b, isDirty) in cases {
            let instruction = try SingleInstruction(name)
            instruction.hart.writeCSR(CSR.mstatus, 2 << 13)
            instruction.hart[integer: 10] = 0x8000_0100
            instruction.hart[float: 10] = a
            instruction.hart[float: 11] = b
            #expect(instruction.execute(), "\(name)")
            #expect(status(instruction) == (isDirty ? 3 : 2) << 13, "\(name) \(a)")
        }
    }

    @Test func flagsAccrueAndRaisingOnesThatAreSetChangesNothing() throws {
        let instruction = try SingleInstruction("fcvt.w.d")
        instruction.hart[float: 10] = 0x3FF8_0000_0000_0000
        instruction.hart.writeCSR(CSR.fflags, 0x11)
        instruction.hart.writeCSR(CSR.mstatus, 2 << 13)
        #expect(instruction.execute())
        #expect(instruction.hart.readCSR(CSR.fflags) == 0x11)
        #expect(status(instruction) == 2 << 13)
        let division = try SingleInstruction("fdiv.d")
        division.hart.writeCSR(CSR.fflags, 1)
        division.hart[float: 10] = 0x3FF0_0000_0000_0000
        #expect(division.execute())
        #expect(division.hart.readCSR(CSR.fflags) == 9)
    }

    // MARK: Rounding modes

    @Test func reservedRoundingModesAreIllegalInTheInstructionAndInTheRegister() throws {
        let rounded = floatingPointInstructions.filter { $0.mask & 0x7000 == 0 }.map(\.name)
        // Four fused, four arithmetic, a root and eight conversions of integers each, and two conversions of formats.
        #expect(rounded.count == 36)
        for name in rounded {
            let instruction = try SingleInstruction(name)
            for field in [5, 6] { #expect(isIllegal(instruction, rounding: field), "\(name)") }
            for frm in 5...7 as ClosedRange<UInt64> {
                instruction.hart.writeCSR(CSR.frm, frm)
                #expect(isIllegal(instruction, rounding: 7), "\(name)")
                #expect(instruction.execute(rounding: 4), "\(name)")
            }
            instruction.hart.writeCSR(CSR.frm, 4)
            #expect(instruction.execute(rounding: 7), "\(name)")
        }
    }

    @Test func instructionsWithoutRoundingDoNotLookAtTheMode() throws {
        for row in floatingPointInstructions where row.mask & 0x7000 != 0 {
            let instruction = try SingleInstruction(row.name)
            instruction.hart[integer: 10] = 0x8000_0100
            instruction.hart.writeCSR(CSR.frm, 7)
            #expect(instruction.execute(), "\(row.name)")
        }
    }

    // MARK: Memory

    @Test func aFaultingLoadLeavesTheRegisterAndTheStateAlone() throws {
        for name in ["flw", "fld"] {
            let instruction = try SingleInstruction(name)
            instruction.hart[integer: 10] = 0x4000_0000
            instruction.hart[float: 13] = 5
            #expect(!instruction.execute())
            #expect(instruction.hart.readCSR(CSR.mcause) == 5)
            #expect(instruction.hart.readCSR(CSR.mtval) == 0x4000_0000)
            #expect(instruction.hart[float: 13] == 5)
            #expect(status(instruction) == 1 << 13)
        }
    }

    @Test func aProgramOfWideAndCompressedInstructionsRuns() throws {
        let memory = try GuestMemory(ranges: [(base: 0x8000_0000, size: 8192)])
        let hart = Hart(
            index: 0, addressSpace: AddressSpace(memory: memory), timeBase: TimeBase(), resetAddress: 0x8000_0000)
        let program: [UInt16] = [
            0x2574,  // c.fld f13, 200(x10)
            0x36FE,  // c.fldsp f13, 504(sp), over the same register
            0xA574,  // c.fsd f13, 200(x10)
            0x2507, 0x0C85,  // flw f10, 200(x10)
            0xF5D3, 0x02D6,  // fadd.d f11, f13, f13, dyn
            0xBFAE,  // c.fsdsp f11, 504(sp)
            0x0073, 0x1050,  // wfi
        ]
        for (index, half) in program.enumerated() { try memory.store(half, at: 0x8000_0000 + 2 * UInt64(index)) }
        try memory.store(0xC000_0000_1234_5678 as UInt64, at: 0x8000_1000 + 504)
        hart[integer: 2] = 0x8000_1000
        hart[integer: 10] = 0x8000_1400
        hart.writeCSR(CSR.mstatus, 1 << 13)
        hart.state.pointee.pollAt = .max
        interpret(HartReference(hart.state))
        #expect(hart.pc == 0x8000_0014)
        #expect(try memory.load(UInt64.self, at: 0x8000_1400 + 200) == 0xC000_0000_1234_5678)
        #expect(hart[float: 10] == 0xFFFF_FFFF_1234_5678)
        #expect(try memory.load(UInt64.self, at: 0x8000_1000 + 504) == 0xC010_0000_1234_5678)
        #expect(hart.retired == 7)
    }
}
