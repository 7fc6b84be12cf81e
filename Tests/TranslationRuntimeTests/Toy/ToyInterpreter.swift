import Synchronization
import TranslationRuntime
import Translator

// The interpreter of the toy: what its instructions mean. Generated code calls it as its helper, too.
extension ToyState {
    /// Executes the instruction at `pc`. False leaves it there: there is a fault, or a store waits for the run loop.
    mutating func step() -> Bool {
        guard let instruction = fetchInstruction() else {
            fault = physical(pc) == nil ? .memory(pc) : .undefined
            return false
        }
        let next = pc &+ UInt64(instruction.length)
        blockAddress = pc
        guard let target = execute(instruction, next: next) else { return false }
        pc = target
        retired += 1
        return true
    }

    private func fetchInstruction() -> ToyInstruction? {
        ToyInstruction { index in
            physical(pc &+ UInt64(index)).map { memoryBase.load(fromByteOffset: Int($0), as: UInt8.self) }
        }
    }

    /// The address of the next instruction; nil when this one has not retired.
    mutating func execute(_ instruction: ToyInstruction, next: UInt64) -> UInt64? {
        let (d, s) = (Int(instruction.d), Int(instruction.s))
        let immediate = UInt64(bitPattern: Int64(instruction.immediate))
        switch instruction.operation {
        case .halt:
            fault = .halted
            return nil
        case .nop: return next
        case .fence: atomicMemoryFence(ordering: .sequentiallyConsistent)
        case .ret: return r[7]
        case .move: r[d] = r[s]
        case .moveByte: r[d] = r[d] & ~0xFF | r[s] & 0xFF
        case .moveHalf: r[d] = r[d] & ~0xFFFF | r[s] & 0xFFFF
        case .zeroExtendByte: r[d] = r[s] & 0xFF
        case .multiply: r[d] = r[d] &* r[s]
        case .divide, .divideSigned: return divide(d, s, signed: instruction.operation == .divideSigned) ? next : nil
        case .addWithCarry: addWithCarry(d, s)
        case .exchangeAdd: return exchangeAdd(d, s) ? next : nil
        case .vectorAdd32, .vectorXor, .vectorAdd8, .vectorSubtract32: executeVector(instruction)
        case .jumpRegister: return r[d]
        case .callRegister:
            let target = r[d]
            r[7] = next
            return target
        case .set: r[d] = instruction.condition.holds(flags) ? 1 : 0
        case .shiftLeft: r[d] = r[d] << (immediate & 63)
        case .shiftRight: r[d] = r[d] >> (immediate & 63)
        case .addImmediate: r[d] = r[s] &+ immediate
        case .loadImmediate: r[d] = immediate
        case .compareImmediate: flags = FlagOperation.subtract.evaluate(r[d], immediate, .bits64)
        case .load8, .load16Signed, .load32, .load64, .store8, .store32, .store64, .vectorLoad, .vectorStore:
            return access(instruction, r[s] &+ immediate) ? next : nil
        case .jump: return next &+ immediate
        case .call:
            r[7] = next
            return next &+ immediate
        case .branch: return instruction.condition.holds(flags) ? next &+ immediate : next
        default: executeArithmetic(instruction)
        }
        return next
    }

    private mutating func executeArithmetic(_ instruction: ToyInstruction) {
        guard let arithmetic = ToyArithmetic(instruction.operation) else { preconditionFailure("not arithmetic") }
        let (d, s) = (Int(instruction.d), Int(instruction.s))
        let (a, b) = (r[d], r[s])
        let result = arithmetic.operation.evaluate(a, b, .bits64)
        if arithmetic.flags == .logic {
            flags = FlagOperation.logic.evaluate(result, 0, arithmetic.width)
        } else {
            flags = arithmetic.flags.evaluate(a, b, arithmetic.width)
        }
        guard arithmetic.writes else { return }
        switch arithmetic.width {
        case .bits8: r[d] = a & ~0xFF | result & 0xFF
        case .bits16: r[d] = a & ~0xFFFF | result & 0xFFFF
        case .bits32: r[d] = result & 0xFFFF_FFFF
        case .bits64: r[d] = result
        }
    }

    private mutating func divide(_ d: Int, _ s: Int, signed: Bool) -> Bool {
        let (a, b) = (r[d], r[s])
        if b == 0 || signed && a == 1 << 63 && b == .max {
            fault = .division
            return false
        }
        r[d] = signed ? UInt64(bitPattern: Int64(bitPattern: a) / Int64(bitPattern: b)) : a / b
        return true
    }

    private mutating func addWithCarry(_ d: Int, _ s: Int) {
        let (a, b) = (r[d], r[s])
        let carry = flags & FlagBits.carry
        let sum = a.addingReportingOverflow(b)
        let result = sum.partialValue.addingReportingOverflow(carry)
        flags = FlagOperation.logic.evaluate(result.partialValue, 0, .bits64)
        if sum.overflow || result.overflow { flags |= FlagBits.carry }
        if (a ^ result.partialValue) & (b ^ result.partialValue) >> 63 == 1 { flags |= FlagBits.overflow }
        r[d] = result.partialValue
    }

    private mutating func executeVector(_ instruction: ToyInstruction) {
        let (d, s) = (Int(instruction.d) * 2, Int(instruction.s) * 2)
        for half in 0..<2 {
            let (a, b) = (vectors[d + half], vectors[s + half])
            vectors[d + half] =
                switch instruction.operation {
                case .vectorXor: a ^ b
                case .vectorAdd8: Self.elements(8, a, b, &+)
                case .vectorSubtract32: Self.elements(32, a, b, &-)
                default: Self.elements(32, a, b, &+)
                }
        }
    }

    private static func elements(
        _ bits: UInt64, _ a: UInt64, _ b: UInt64, _ body: (UInt64, UInt64) -> UInt64
    ) -> UInt64 {
        let mask: UInt64 = 1 << bits - 1
        return stride(from: 0, to: 64, by: Int(bits)).reduce(0) { result, place in
            result | (body(a >> UInt64(place), b >> UInt64(place)) & mask) << UInt64(place)
        }
    }
}

/// What arithmetic instructions have in common.
struct ToyArithmetic {
    let operation: BinaryOperation
    let flags: FlagOperation
    let width: FlagWidth
    let writes: Bool

    init?(_ operation: ToyOperation) {
        switch operation {
        case .add: self.init(.add, .add, .bits64)
        case .sub: self.init(.subtract, .subtract, .bits64)
        case .and: self.init(.and, .logic, .bits64)
        case .or: self.init(.or, .logic, .bits64)
        case .xor: self.init(.xor, .logic, .bits64)
        case .cmp: self.init(.subtract, .subtract, .bits64, writes: false)
        case .add32: self.init(.add, .add, .bits32)
        case .sub32: self.init(.subtract, .subtract, .bits32)
        case .xor32: self.init(.xor, .logic, .bits32)
        case .cmp32: self.init(.subtract, .subtract, .bits32, writes: false)
        case .add8: self.init(.add, .add, .bits8)
        case .sub8: self.init(.subtract, .subtract, .bits8)
        case .cmp8: self.init(.subtract, .subtract, .bits8, writes: false)
        case .add16: self.init(.add, .add, .bits16)
        case .sub16: self.init(.subtract, .subtract, .bits16)
        case .cmp16: self.init(.subtract, .subtract, .bits16, writes: false)
        default: return nil
        }
    }

    private init(_ operation: BinaryOperation, _ flags: FlagOperation, _ width: FlagWidth, writes: Bool = true) {
        self.operation = operation
        self.flags = flags
        self.width = width
        self.writes = writes
    }
}
