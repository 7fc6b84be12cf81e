import GuestMemory
import Testing
import TranslationRuntime
import Translator

/// A second front end, which has what RISC-V does not, on the same runtime.
@Suite(.timeLimit(.minutes(10))) struct ToyTests {
    private func run(_ program: [UInt8], _ kind: ToyEngine) throws -> ToyMachine {
        let machine = try ToyMachine(program, kind)
        try machine.run()
        return machine
    }

    @Test(arguments: ToyEngine.translating)
    func aLoopWithFlagsAndBytesComputesTheSameEverywhere(kind: ToyEngine) throws {
        var assembler = ToyAssembler()
        assembler.add(.loadImmediate, 1, 0, 0x1F0)
        assembler.add(.loadImmediate, 2, 0, 7)
        assembler.add(.loadImmediate, 4, 0, 5000)
        assembler.label("again")
        assembler.add(.add8, 1, 2)
        assembler.branch(.notCarry, "more")
        assembler.add(.addImmediate, 3, 3, 1)
        assembler.label("more")
        assembler.add(.addImmediate, 4, 4, -1)
        assembler.add(.compareImmediate, 4, 0, 0)
        assembler.branch(.notZero, "again")
        assembler.add(.halt)
        let outcome = try run(assembler.program(), kind).outcome()
        #expect(outcome.fault == .halted)
        // Byte 0xF0 and 35,000 is 0x89A8: the byte carries 137 times, and its register keeps the rest.
        #expect(outcome.registers[1] == 0x1A8 && outcome.registers[3] == 137)
    }

    @Test(arguments: (1...40).map { UInt64($0) })
    func randomProgramsComputeWhatTheInterpreterDoes(seed: UInt64) throws {
        for changesCode in [false, true] {
            let program = ToyFuzzProgram(seed: seed, changesCode: changesCode).program()
            let expected = try run(program, .interpreter)
            let reference = (expected.outcome(), try expected.memory.bytes(at: 0, count: Int(ToyMachine.memorySize)))
            for kind in ToyEngine.translating where !changesCode || !kind.isFlat {
                let machine = try run(program, kind)
                #expect(machine.outcome() == reference.0, "\(kind), seed \(seed)")
                let memory = try machine.memory.bytes(at: 0, count: Int(ToyMachine.memorySize))
                #expect(memory == reference.1, "\(kind), seed \(seed)")
            }
        }
    }

    @Test func theProgramsReachBothTiersAndHaltOrTrap() throws {
        var regions = 0
        var ends: [ToyFault?] = []
        for seed in 1...10 {
            let program = ToyFuzzProgram(seed: UInt64(seed), changesCode: false).program()
            let machine = try run(program, .regions)
            regions += machine.engine?.counts.regions ?? 0
            ends.append(machine.outcome().fault)
        }
        #expect(regions > 50)
        #expect(ends.contains(.halted) && ends.allSatisfy { $0 == .halted || $0 == .division })
    }

    @Test(arguments: ToyEngine.translating)
    func aFaultLeavesAllRegistersAsTheyWere(kind: ToyEngine) throws {
        var assembler = ToyAssembler()
        assembler.add(.loadImmediate, 1, 0, 100)
        assembler.add(.loadImmediate, 2, 0, 0x20_0000)
        assembler.label("again")
        assembler.add(.addImmediate, 3, 3, 3)
        // At last behind the end of memory.
        assembler.add(.load64, 0, 2)
        assembler.add(.addImmediate, 2, 2, 0x8000)
        assembler.add(.sub, 1, 3)
        assembler.jump("again")
        let outcome = try run(assembler.program(), kind).outcome()
        #expect(outcome.fault == .memory(ToyMachine.memorySize))
        // 0x20_0000 and 64 times 0x8000: 65 sums, and 64 differences.
        #expect(outcome.registers[3] == 195 && outcome.pc == 0x1012)
        #expect(outcome.registers[2] == ToyMachine.memorySize && outcome.retired == 2 + 64 * 5 + 1)
    }

    /// Hundreds of functions that do not fit into the code cache, called again and again.
    @Test(arguments: [ToyEngine.baseline, .regions, .tiers])
    func codeIsEvictedAndMadeAgain(kind: ToyEngine) throws {
        let count = 400
        var small = kind
        small.capacity = 4 << 20
        let machine = try run(Self.largeProgram(functions: count), small)
        #expect(machine.outcome().fault == .halted)
        #expect(machine.outcome().registers[1] == 4 * UInt64(count) * 8 * 80)
        #expect(machine.engine?.counts.evictions ?? 0 > 0)
    }

    /// Functions that are called again and again, each with 80 instructions that load and store.
    static func largeProgram(functions count: Int) -> [UInt8] {
        var assembler = ToyAssembler()
        assembler.add(.loadImmediate, 4, 0, 4)
        assembler.add(.loadImmediate, 6, 0, 0x30_0000)
        assembler.label("again")
        for function in 0..<count {
            assembler.add(.loadImmediate, 3, 0, 8)
            assembler.label("call\(function)")
            assembler.jump(.call, "f\(function)")
            assembler.add(.addImmediate, 3, 3, -1)
            assembler.add(.compareImmediate, 3, 0, 0)
            assembler.branch(.notZero, "call\(function)")
        }
        assembler.add(.addImmediate, 4, 4, -1)
        assembler.add(.compareImmediate, 4, 0, 0)
        assembler.branch(.notZero, "again")
        assembler.add(.halt)
        for function in 0..<count {
            assembler.label("f\(function)")
            for place in 0..<80 {
                // No two that follow each other can share a page.
                let distance = place * 8 + place % 8 * 4096
                assembler.add(.load64, 2, 6, distance)
                assembler.add(.addImmediate, 1, 1, 1)
                assembler.add(.store64, 1, 6, distance + 0x1_0000)
            }
            assembler.add(.ret)
        }
        return assembler.program()
    }
}
