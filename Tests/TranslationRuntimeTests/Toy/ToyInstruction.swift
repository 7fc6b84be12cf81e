import Translator

/// A small instruction set that has what RISC-V does not: flags, registers of 8 and 16 bits, vectors, instructions of 1 to 6 bytes at
/// any address, divisions that trap, and fetches that see stores without a fence.
enum ToyOperation: UInt8, CaseIterable {
    // One byte. `ret` goes to r7.
    case halt, nop, fence, ret
    // An opcode and a byte with two registers: the destination, which is an operand as well, is in the low half.
    case add = 0x10
    case sub, and, or, xor, cmp
    case add32 = 0x18
    case sub32, xor32, cmp32
    case add8 = 0x20
    case sub8, cmp8
    case add16 = 0x24
    case sub16, cmp16
    case move = 0x28
    case moveByte, moveHalf, zeroExtendByte, multiply, divide, divideSigned, addWithCarry
    /// Adds the destination to memory at the source atomically; the destination becomes what was there.
    case exchangeAdd = 0x30
    case vectorAdd32 = 0x34
    case vectorXor, vectorAdd8, vectorSubtract32
    case jumpRegister = 0x38
    /// r7 becomes the address of the next instruction, as with `call`.
    case callRegister
    // The same and an immediate byte.
    case set = 0x40
    case shiftLeft, shiftRight
    // The same and four immediate bytes.
    case addImmediate = 0x50
    case loadImmediate, compareImmediate
    case load8 = 0x58
    case load16Signed, load32, load64, store8, store32, store64, vectorLoad, vectorStore
    // An opcode and a distance of four bytes from the end of the instruction.
    case jump = 0x70
    case call
    /// The low half of the opcode is the condition.
    case branch = 0x80
}

/// A decoded instruction.
struct ToyInstruction: Equatable {
    var operation: ToyOperation
    /// Destination and source, 0 to 7; of vectors 0 to 3.
    var d: UInt8 = 0
    var s: UInt8 = 0
    var immediate: Int32 = 0
    /// Of branches and `set`.
    var condition = FlagCondition.zero

    /// Bytes.
    var length: Int {
        switch operation.rawValue {
        case 0..<0x10: 1
        case 0x10..<0x40: 2
        case 0x40..<0x50: 3
        case 0x50..<0x70: 6
        default: 5
        }
    }

    var bytes: [UInt8] {
        let value = UInt32(bitPattern: immediate)
        let four = (0..<4).map { UInt8(truncatingIfNeeded: value >> UInt32(8 * $0)) }
        let number = UInt8(FlagCondition.allCases.firstIndex(of: condition) ?? 0)
        return switch length {
        case 1: [operation.rawValue]
        case 2: [operation.rawValue, s << 4 | d]
        case 3: [operation.rawValue, s << 4 | d, operation == .set ? number : four[0]]
        case 6: [operation.rawValue, s << 4 | d] + four
        default: [operation == .branch ? operation.rawValue | number : operation.rawValue] + four
        }
    }

    /// Decodes the instruction whose bytes `fetch` gives. Nil when it has none for one that is needed, or there is no such
    /// instruction.
    init?(_ fetch: (Int) -> UInt8?) {
        guard let opcode = fetch(0), let operation = ToyOperation(rawValue: opcode >= 0x80 ? 0x80 : opcode) else {
            return nil
        }
        self.init(operation: operation)
        let count = length
        var rest: [UInt8] = []
        for index in 1..<max(count, 1) {
            guard let byte = fetch(index) else { return nil }
            rest.append(byte)
        }
        if count == 2 || count == 3 || count == 6 {
            d = rest[0] & (operation.isVector ? 3 : 7)
            s = rest[0] >> 4 & (operation.isVectorPair ? 3 : 7)
        }
        if count == 3 { immediate = Int32(rest[1]) }
        if count >= 5 {
            let start = count - 5
            immediate = Int32(
                bitPattern: (0..<4).reduce(0) { $0 | UInt32(rest[start + $1]) << UInt32(8 * $1) })
        }
        let number = operation == .branch ? Int(opcode & 15) : Int(immediate & 15)
        if operation == .branch || operation == .set {
            guard number < FlagCondition.allCases.count else { return nil }
            condition = FlagCondition.allCases[number]
        }
    }

    init(
        operation: ToyOperation, d: UInt8 = 0, s: UInt8 = 0, immediate: Int32 = 0, condition: FlagCondition = .zero
    ) {
        self.operation = operation
        self.d = d
        self.s = s
        self.immediate = immediate
        self.condition = condition
    }
}

extension ToyOperation {
    /// Both registers are vectors.
    fileprivate var isVectorPair: Bool { (0x34..<0x38).contains(rawValue) }
    /// The destination is a vector.
    fileprivate var isVector: Bool { isVectorPair || self == .vectorLoad || self == .vectorStore }
}
