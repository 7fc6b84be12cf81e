import GuestMemory
import Testing
import TranslationRuntime
import Translator

/// Several processors of the toy share code and memory, and change code under each other.
@Suite(.timeLimit(.minutes(10))) struct ToyProcessorsTests {
    private static let kinds = [ToyEngine.baseline, .regions, .relative, .tiers]

    private func run(_ program: [UInt8], processors: Int, _ kind: ToyEngine) throws -> ToyMachine {
        let machine = try ToyMachine(program, processors: processors, kind)
        try machine.run()
        return machine
    }

    @Test(arguments: kinds + [.flat])
    func processorsAddToOneSum(kind: ToyEngine) throws {
        var assembler = ToyAssembler()
        assembler.add(.loadImmediate, 2, 0, 0x10_0000)
        assembler.add(.loadImmediate, 4, 0, 20_000)
        assembler.label("again")
        assembler.add(.loadImmediate, 1, 0, 1)
        assembler.add(.exchangeAdd, 1, 2)
        assembler.add(.addImmediate, 4, 4, -1)
        assembler.add(.compareImmediate, 4, 0, 0)
        assembler.branch(.notZero, "again")
        assembler.add(.halt)
        let machine = try run(assembler.program(), processors: 4, kind)
        for number in 0..<4 { #expect(machine.outcome(number).fault == .halted) }
        #expect(try machine.memory.bytes(at: 0x10_0000, count: 8) == [0x80, 0x38, 1, 0, 0, 0, 0, 0])
    }

    private static let rounds = 60
    /// The round, and how often the readers have answered.
    private static let turn = 0x10_0000
    private static let answers = 0x10_0008

    /// Processor 0 changes a function and then says so; the others call it as soon as they have seen that. There is no fence in the
    /// program: what is fetched is what was stored.
    @Test(arguments: kinds)
    func aProcessorFetchesWhatAnotherHasStored(kind: ToyEngine) throws {
        var assembler = ToyAssembler()
        assembler.add(.loadImmediate, 6, 0, Self.turn)
        assembler.add(.loadImmediate, 3, 0, 1)
        assembler.add(.compareImmediate, 0, 0, 0)
        assembler.branch(.notZero, "reader")
        Self.writeWriter(&assembler)
        Self.writeReader(&assembler)
        assembler.move(to: 0x3000)
        assembler.label("function")
        assembler.label("immediate")
        assembler.add(.addImmediate, 1, 1, 0)
        assembler.add(.ret)

        let machine = try run(assembler.program(), processors: 3, kind)
        for number in 0..<3 { #expect(machine.outcome(number).fault == .halted) }
        let sum = UInt64(20 * Self.rounds * (Self.rounds + 1) / 2)
        #expect(machine.outcome(1).registers[4] == sum && machine.outcome(2).registers[4] == sum)
    }

    /// r3 is the round, which the function adds from now on.
    private static func writeWriter(_ assembler: inout ToyAssembler) {
        assembler.label("writer")
        assembler.address(5, "immediate")
        assembler.add(.store8, 3, 5, 2)
        assembler.add(.store64, 3, 6)
        // Until the other two have answered.
        assembler.label("wait")
        assembler.add(.load64, 1, 6, answers - turn)
        assembler.add(.move, 2, 3)
        assembler.add(.shiftLeft, 2, 0, 1)
        assembler.add(.cmp, 1, 2)
        assembler.branch(.notZero, "wait")
        assembler.add(.addImmediate, 3, 3, 1)
        assembler.add(.compareImmediate, 3, 0, rounds)
        assembler.branch(.lessOrEqualSigned, "writer")
        assembler.add(.halt)
    }

    /// r4 is the sum of all results.
    private static func writeReader(_ assembler: inout ToyAssembler) {
        assembler.label("reader")
        assembler.add(.load64, 1, 6)
        assembler.add(.cmp, 1, 3)
        assembler.branch(.notZero, "reader")
        assembler.add(.loadImmediate, 1, 0, 0)
        for _ in 0..<20 { assembler.jump(.call, "function") }
        assembler.add(.add, 4, 1)
        assembler.add(.loadImmediate, 2, 0, 1)
        assembler.add(.addImmediate, 0, 6, answers - turn)
        assembler.add(.exchangeAdd, 2, 0)
        assembler.add(.addImmediate, 3, 3, 1)
        assembler.add(.compareImmediate, 3, 0, rounds)
        assembler.branch(.lessOrEqualSigned, "reader")
        assembler.add(.halt)
    }

    /// Stores to a page of code that do not change any of it.
    @Test(arguments: kinds)
    func processorsWriteToAPageWhoseCodeOthersRun(kind: ToyEngine) throws {
        var assembler = ToyAssembler()
        // All count in a word behind the code of one page.
        assembler.add(.loadImmediate, 6, 0, 0x1800)
        assembler.add(.loadImmediate, 4, 0, 300)
        assembler.label("again")
        assembler.add(.loadImmediate, 1, 0, 1)
        assembler.add(.exchangeAdd, 1, 6)
        for _ in 0..<5 { assembler.jump(.call, "function") }
        assembler.add(.addImmediate, 4, 4, -1)
        assembler.add(.compareImmediate, 4, 0, 0)
        assembler.branch(.notZero, "again")
        assembler.add(.halt)
        assembler.label("function")
        assembler.add(.addImmediate, 3, 3, 1)
        assembler.add(.ret)
        let machine = try run(assembler.program(), processors: 3, kind)
        for number in 0..<3 {
            #expect(machine.outcome(number).fault == .halted)
            #expect(machine.outcome(number).registers[3] == 1500)
        }
        #expect(try machine.memory.bytes(at: 0x1800, count: 4) == [0x84, 3, 0, 0])
    }
}
