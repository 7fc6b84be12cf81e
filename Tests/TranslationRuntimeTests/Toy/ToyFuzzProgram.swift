import TestSupport
import Translator

/// A random program of the toy: loops that call functions in several pages, whose instructions cross pages, at two virtual
/// addresses, with loads and stores of all sizes, and stores to immediate values of instructions.
struct ToyFuzzProgram {
    private var assembler = ToyAssembler()
    private var random: SeededGenerator
    private var labels = 0
    private let changesCode: Bool

    private static let functionCount = 5
    /// Pages of data that r6 points to the middle of, which no program reaches.
    private static let data = 0x10_0800

    /// - Parameter changesCode: whether there are stores to code.
    init(seed: UInt64, changesCode: Bool) {
        random = SeededGenerator(seed: seed)
        self.changesCode = changesCode
        for register in 0..<4 { assembler.add(.loadImmediate, register, 0, Int(Int32(truncatingIfNeeded: next()))) }
        assembler.add(.loadImmediate, 6, 0, Self.data)
        assembler.add(.loadImmediate, 4, 0, 20 + below(60))
        assembler.label("again")
        for _ in 0..<6 {
            writeStatements(4 + below(10))
            writeCall()
        }
        // A page is 4096 bytes, and distances are long.
        writeStatements(200)
        assembler.add(.addImmediate, 4, 4, -1)
        assembler.add(.compareImmediate, 4, 0, 0)
        assembler.branch(.notZero, "again")
        assembler.add(.halt)
        for function in 0..<Self.functionCount { writeFunction(function) }
    }

    func program() -> [UInt8] { assembler.program() }

    private mutating func next() -> UInt64 { random.next() }

    private mutating func below(_ count: Int) -> Int { Int(next() >> 16) % count }

    private mutating func pick<Value>(_ values: [Value]) -> Value { values[below(values.count)] }

    private mutating func writeFunction(_ number: Int) {
        // Some begin shortly before a page's end.
        if below(2) == 0 { assembler.move(to: (assembler.here + 4095) & ~4095 + 4096 - 1 - below(40)) }
        assembler.label("f\(number)")
        assembler.add(.move, 5, 7)
        // Where code is changed: an immediate value that the function adds.
        assembler.label("immediate\(number)")
        assembler.add(.addImmediate, 1, 1, below(100))
        assembler.add(.loadImmediate, 3, 0, 2 + below(9))
        assembler.label("loop\(number)")
        writeStatements(10 + below(40), keepsThird: true)
        assembler.add(.addImmediate, 3, 3, -1)
        assembler.add(.compareImmediate, 3, 0, 0)
        assembler.branch(.greaterSigned, "loop\(number)")
        assembler.add(.move, 7, 5)
        assembler.add(.ret)
    }

    private mutating func writeCall() {
        let function = below(Self.functionCount)
        if changesCode, below(3) == 0 {
            assembler.address(5, "immediate\(function)")
            // Behind opcode and registers.
            assembler.add(.store8, below(3), 5, 2)
        }
        switch below(4) {
        case 0: assembler.jump(.call, "f\(function)")
        case 1:
            assembler.address(5, "f\(function)")
            assembler.add(.callRegister, 5)
        default:
            // By the other address of the same memory.
            assembler.address(5, "f\(function)")
            assembler.add(.loadImmediate, 3, 0, 1)
            assembler.add(.shiftLeft, 3, 0, 32)
            assembler.add(.add, 5, 3)
            assembler.add(.callRegister, 5)
        }
    }

    private mutating func writeStatements(_ count: Int, keepsThird: Bool = false) {
        let registers = keepsThird ? 3 : 4
        for _ in 0..<count { writeStatement(registers) }
    }

    private mutating func writeStatement(_ registers: Int) {
        let (a, b) = (below(registers), below(4))
        switch below(20) {
        case 0..<3: assembler.add(pick([.add, .sub, .and, .or, .xor, .cmp]), a, b)
        case 3..<5: assembler.add(pick([.add32, .sub32, .xor32, .cmp32]), a, b)
        case 5..<7: assembler.add(pick([.add8, .sub8, .cmp8, .add16, .sub16, .cmp16]), a, b)
        case 7: assembler.add(pick([.moveByte, .moveHalf, .zeroExtendByte, .move]), a, b)
        case 8: assembler.add(pick([.multiply, .addWithCarry]), a, b)
        case 9: assembler.add(.set, a, 0, 0, pick(FlagCondition.allCases))
        case 10: assembler.add(pick([.shiftLeft, .shiftRight]), a, 0, below(64))
        case 11: assembler.add(.addImmediate, a, b, Int(Int32(truncatingIfNeeded: next() >> 20)) >> below(31))
        case 12, 13: assembler.add(pick([.load8, .load16Signed, .load32, .load64]), a, 6, below(4096) - 2048)
        case 14, 15: assembler.add(pick([.store8, .store32, .store64]), b, 6, below(4096) - 2048)
        case 16: assembler.add(pick([.vectorLoad, .vectorStore]), below(4), 6, below(4096) - 2048)
        case 17: assembler.add(pick([.vectorAdd32, .vectorXor, .vectorAdd8, .vectorSubtract32]), below(4), below(4))
        case 18: writeDivision(a)
        default:
            labels += 1
            assembler.add(.cmp, a, b)
            assembler.branch(pick(FlagCondition.allCases), "l\(labels)")
            assembler.add(.add, a, b)
            assembler.add(.xor32, a, b)
            assembler.label("l\(labels)")
        }
    }

    /// One that hardly ever traps, and an atomic access.
    private mutating func writeDivision(_ a: Int) {
        assembler.add(.load64, 2, 6, 8 * below(200))
        if below(8) > 0 {
            assembler.add(.zeroExtendByte, 2, 2)
            assembler.add(.addImmediate, 2, 2, 1)
        }
        assembler.add(below(2) == 0 ? .divide : .divideSigned, a, 2)
        assembler.add(.addImmediate, 2, 6, below(4) == 0 ? 3 : 8 * below(100))
        assembler.add(.exchangeAdd, a, 2)
    }
}
