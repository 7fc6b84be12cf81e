import TranslationRuntime
import Translator

/// The toy for the translator.
struct ToyFrontEnd: GuestFrontEnd {
    var variant: UInt64 = 0

    var codeAlignment: Int { 1 }
    var maximumBlockCount: Int { 32 }
    var maximumStatements: Int { 6 }

    func lift(_ page: PageSnapshot, from start: Int, isOther: (Int) -> Bool) -> LiftedBlock? {
        var lifter = ToyLifter(isRelative: page.isRelative)
        var offset = start
        while lifter.terminator == nil, lifter.count < maximumBlockCount, let instruction = page.toyInstruction(offset)
        {
            if offset != start, isOther(offset) { break }
            guard instruction.operation != .halt else { break }
            lifter.append(instruction, at: page.base &+ UInt64(offset))
            offset += instruction.length
        }
        guard lifter.count > 0 else { return nil }
        let block = GuestBlock(
            address: page.base + UInt64(start), isRelative: page.isRelative, steps: lifter.steps,
            terminator: lifter.terminator ?? .jump(page.base &+ UInt64(offset)), count: lifter.count)
        return LiftedBlock(
            block, offset: start, byteCount: offset - start, returnAddress: lifter.returnAddress,
            isReturn: lifter.isReturn, codeAlignment: codeAlignment)
    }

    func disassemble(_ page: PageSnapshot, from start: Int, count: Int) -> [(address: UInt64, text: String)] {
        var result: [(UInt64, String)] = []
        var offset = start
        while result.count < count, let instruction = page.toyInstruction(offset) {
            result.append((page.base + UInt64(offset), "\(instruction.operation)"))
            offset += instruction.length
        }
        return result
    }
}

extension PageSnapshot {
    /// The instruction at an offset; nil where it does not lie in the page as a whole.
    fileprivate func toyInstruction(_ offset: Int) -> ToyInstruction? {
        ToyInstruction { index in
            offset + index < TranslatedPage.size ? bytes.load(fromByteOffset: offset + index, as: UInt8.self) : nil
        }
    }
}

/// Lifts the instructions of a block.
private struct ToyLifter {
    let isRelative: Bool
    private(set) var steps: [Step] = []
    private(set) var terminator: Terminator?
    private(set) var count = 0
    private(set) var returnAddress: UInt64?
    private(set) var isReturn = false

    init(isRelative: Bool) { self.isRelative = isRelative }

    private static let flags = ToyState.flagsSlot
    private static let link = Slot(7)
    private static let temporary = (Slot(ToyState.firstTemporary), Slot(ToyState.firstTemporary + 1))

    private mutating func add(_ statement: Statement, _ pc: UInt64) {
        steps.append(Step(statement, number: count, address: pc))
    }

    mutating func append(_ instruction: ToyInstruction, at pc: UInt64) {
        let next = pc &+ UInt64(instruction.length)
        let distance = UInt64(bitPattern: Int64(instruction.immediate))
        let d = Slot(instruction.d)
        switch instruction.operation {
        case .ret:
            isReturn = true
            terminator = .indirect(.slot(Self.link), 0, link: nil, returnAddress: next)
        case .jump: terminator = .jump(next &+ distance)
        case .call:
            add(.unary(.copy, .bits64, Self.link, .code(next, isRelative: isRelative)), pc)
            returnAddress = next
            terminator = .jump(next &+ distance)
        case .jumpRegister: terminator = .indirect(.slot(d), 0, link: nil, returnAddress: next)
        case .callRegister:
            returnAddress = next
            terminator = .indirect(.slot(d), 0, link: Self.link, returnAddress: next)
        case .branch:
            terminator = .branchFlag(instruction.condition, .slot(Self.flags), taken: next &+ distance, next: next)
        default: lift(instruction, pc)
        }
        count += 1
    }

    private mutating func lift(_ instruction: ToyInstruction, _ pc: UInt64) {
        let (d, s) = (Slot(instruction.d), Slot(instruction.s))
        let constant = Operand.constant(UInt64(bitPattern: Int64(instruction.immediate)))
        if let arithmetic = ToyArithmetic(instruction.operation) { return lift(arithmetic, d, s, pc) }
        switch instruction.operation {
        case .nop: break
        case .fence: add(.barrier, pc)
        case .move: add(.unary(.copy, .bits64, d, .slot(s)), pc)
        case .moveByte: add(.insert(bytes: 1, d, .slot(s)), pc)
        case .moveHalf: add(.insert(bytes: 2, d, .slot(s)), pc)
        case .zeroExtendByte: add(.unary(.zeroExtend8, .bits64, d, .slot(s)), pc)
        case .multiply: add(.binary(.multiply, .bits64, d, .slot(d), .slot(s)), pc)
        case .divide:
            add(.expect(.notEqual, .slot(s), .constant(0)), pc)
            add(.binary(.divideUnsigned, .bits64, d, .slot(d), .slot(s)), pc)
        case .divideSigned: liftSignedDivision(d, s, pc)
        case .exchangeAdd: add(.atomic(.add, wide: true, d, .slot(s), .slot(d), HelperRecord(instruction)), pc)
        case .set: add(.setFlag(instruction.condition, d, .slot(Self.flags)), pc)
        case .shiftLeft: add(.binary(.shiftLeft, .bits64, d, .slot(d), constant), pc)
        case .shiftRight: add(.binary(.shiftRight, .bits64, d, .slot(d), constant), pc)
        case .addImmediate: add(.binary(.add, .bits64, d, .slot(s), constant), pc)
        case .loadImmediate: add(.unary(.copy, .bits64, d, constant), pc)
        case .compareImmediate: add(.flags(.subtract, .bits64, Self.flags, .slot(d), constant), pc)
        case .load8, .load16Signed, .load32, .load64, .store8, .store32, .store64:
            liftAccess(instruction, d, s, pc)
        case .vectorLoad, .vectorStore, .vectorAdd32, .vectorXor, .vectorAdd8, .vectorSubtract32:
            liftVector(instruction, s, pc)
        default: add(.helper(HelperRecord(instruction)), pc)
        }
    }

    private mutating func lift(_ arithmetic: ToyArithmetic, _ d: Slot, _ s: Slot, _ pc: UInt64) {
        // Flags of sums and differences are of the operands, which the result may replace.
        if arithmetic.flags != .logic {
            add(.flags(arithmetic.flags, arithmetic.width, Self.flags, .slot(d), .slot(s)), pc)
        }
        guard arithmetic.writes else { return }
        switch arithmetic.width {
        case .bits8, .bits16:
            add(.binary(arithmetic.operation, .bits64, Self.temporary.0, .slot(d), .slot(s)), pc)
            add(.insert(bytes: arithmetic.width == .bits8 ? 1 : 2, d, .slot(Self.temporary.0)), pc)
        case .bits32: add(.binary(arithmetic.operation, .bits32ZeroExtended, d, .slot(d), .slot(s)), pc)
        case .bits64: add(.binary(arithmetic.operation, .bits64, d, .slot(d), .slot(s)), pc)
        }
        if arithmetic.flags == .logic {
            add(.flags(.logic, arithmetic.width, Self.flags, .slot(d), .constant(0)), pc)
        }
    }

    private mutating func liftSignedDivision(_ d: Slot, _ s: Slot, _ pc: UInt64) {
        let (first, second) = Self.temporary
        add(.expect(.notEqual, .slot(s), .constant(0)), pc)
        add(.set(.equal, first, .slot(d), .constant(1 << 63)), pc)
        add(.set(.equal, second, .slot(s), .constant(.max)), pc)
        add(.binary(.and, .bits64, first, .slot(first), .slot(second)), pc)
        add(.expect(.equal, .slot(first), .constant(0)), pc)
        add(.binary(.divideSigned, .bits64, d, .slot(d), .slot(s)), pc)
    }

    private mutating func liftAccess(_ instruction: ToyInstruction, _ d: Slot, _ s: Slot, _ pc: UInt64) {
        let operation = instruction.operation
        let type = MemoryType(bytes: operation.accessBytes, signed: operation == .load16Signed)
        switch operation {
        case .store8, .store32, .store64: add(.store(type, .slot(s), .slot(d), instruction.immediate), pc)
        default: add(.load(type, d, .slot(s), instruction.immediate), pc)
        }
    }

    private mutating func liftVector(_ instruction: ToyInstruction, _ base: Slot, _ pc: UInt64) {
        let d = Slot(ToyState.firstVector + 2 * instruction.d)
        let s = Slot(ToyState.firstVector + 2 * instruction.s)
        switch instruction.operation {
        case .vectorLoad: add(.vectorLoad(d, .slot(base), instruction.immediate), pc)
        case .vectorStore: add(.vectorStore(d, .slot(base), instruction.immediate), pc)
        case .vectorAdd32: add(.vector(.add32, d, d, s), pc)
        case .vectorAdd8: add(.vector(.add8, d, d, s), pc)
        case .vectorSubtract32: add(.vector(.subtract32, d, d, s), pc)
        default: add(.vector(.xor, d, d, s), pc)
        }
    }
}

extension HelperRecord {
    /// By which `toyHelper` executes an instruction without an immediate.
    fileprivate init(_ instruction: ToyInstruction) {
        let word =
            UInt64(instruction.operation.rawValue) | UInt64(instruction.d) << 8 | UInt64(instruction.s) << 16
        self.init((UInt64(unsafeBitCast(toyHelper, to: UInt.self)), word, 0))
    }
}
