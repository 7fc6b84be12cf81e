internal import Translator

/// Lifts the instructions of one block to the translator's form.
struct BlockLifter {
    /// Address of the first instruction: guest-virtual, or in its page if the block is relative.
    let address: UInt64
    let isRelative: Bool
    let operations: OptionalOperations
    private(set) var steps: [Step] = []
    private(set) var count = 0
    private(set) var terminator: Terminator?
    /// Where a call at the end returns to.
    private(set) var returnAddress: UInt64?
    /// Whether the block ends as functions do.
    private(set) var isReturn = false
    var isFloatReady = false
    var isPrivileged = false

    /// Most instructions in a block. A block's number is taken from the budget at once, which holds 4096 at first.
    static let maximumCount = 48

    init(address: UInt64, isRelative: Bool, operations: OptionalOperations) {
        self.address = address
        self.isRelative = isRelative
        self.operations = operations
    }

    /// Whether no instruction can follow.
    var isComplete: Bool { terminator != nil || count == Self.maximumCount }

    /// The block, which goes on at `next` unless its last instruction says otherwise.
    func block(next: UInt64) -> GuestBlock {
        GuestBlock(
            address: address, isRelative: isRelative, steps: steps, terminator: terminator ?? .jump(next), count: count)
    }

    /// Adds the instruction at `pc`.
    mutating func append(_ instruction: Instruction, bits: UInt32, at pc: UInt64) {
        let operation = Operation(instruction, bits: bits)
        let next = pc &+ operation.length
        switch instruction.lift {
        case .jump:
            if let link = operation.destination {
                add(.unary(.copy, .bits64, link, .code(next, isRelative: isRelative)), pc)
                returnAddress = next
            }
            terminator = .jump(pc &+ operation.signed)
        case .jumpRegister:
            // The calling convention's hint (Unprivileged Architecture 2.5.1).
            isReturn = operation.destination == nil && (operation.rs1 == 1 || operation.rs1 == 5)
            if operation.destination != nil { returnAddress = next }
            terminator = .indirect(
                operation.first, operation.immediate, link: operation.destination, returnAddress: next)
        case .branch(let condition):
            terminator = .branch(
                condition, operation.first, operation.second, taken: pc &+ operation.signed, next: next)
        default:
            lift(instruction, operation, pc)
            if instruction.endsBlock { terminator = .jump(next) }
        }
        count += 1
    }

    mutating func add(_ statement: Statement, _ pc: UInt64) {
        steps.append(Step(statement, number: count, address: pc))
    }

    private mutating func lift(_ instruction: Instruction, _ operation: Operation, _ pc: UInt64) {
        let destination = operation.destination
        switch instruction.lift {
        case .binary(let kind, let width):
            if let destination { add(.binary(kind, width, destination, operation.first, operation.second), pc) }
        case .immediate(let kind, let width):
            if let destination {
                add(.binary(kind, width, destination, operation.first, .constant(operation.signed)), pc)
            }
        case .unary(let kind, let width): liftUnary(kind, width, operation, pc)
        case .set(let condition):
            if let destination { add(.set(condition, destination, operation.first, operation.second), pc) }
        case .setImmediate(let condition):
            if let destination {
                add(.set(condition, destination, operation.first, .constant(operation.signed)), pc)
            }
        case .upper:
            if let destination { add(.unary(.copy, .bits64, destination, .constant(operation.signed)), pc) }
        case .upperFromHere:
            if let destination {
                add(.unary(.copy, .bits64, destination, .code(pc &+ operation.signed, isRelative: isRelative)), pc)
            }
        case .load(let type): add(.load(type, destination, operation.first, operation.immediate), pc)
        case .store(let type): add(.store(type, operation.first, operation.second, operation.immediate), pc)
        case .atomic(let kind, let wide):
            // Both ordering bits on a load also order it behind earlier stores (Unprivileged Architecture 14.2).
            if kind == .loadReserved, operation.raw >> 25 & 3 == 3 { add(.barrier, pc) }
            add(
                .atomic(
                    kind, wide: wide, destination, operation.first, operation.second, HelperRecord(operation)), pc)
        case .csr(let kind): lift(kind, operation.first, operation, pc)
        case .csrImmediate(let kind): lift(kind, .constant(UInt64(operation.rs1)), operation, pc)
        case .fence: if operation.ordersStoresBeforeLoads { add(.barrier, pc) }
        case .loadFloat, .storeFloat, .moveToInteger, .moveFromInteger, .float:
            liftFloat(instruction.lift, operation, pc)
        case .helper, .jump, .jumpRegister, .branch: add(.helper(HelperRecord(operation)), pc)
        }
    }

    private mutating func liftUnary(_ kind: UnaryOperation, _ width: Width, _ operation: Operation, _ pc: UInt64) {
        let needed: OptionalOperations =
            switch kind {
            case .countLeadingZeros, .countTrailingZeros: .zeroCounts
            case .countOnes: .populationCount
            default: []
            }
        guard operations.isSuperset(of: needed) else { return add(.helper(HelperRecord(operation)), pc) }
        if let destination = operation.destination { add(.unary(kind, width, destination, operation.first), pc) }
    }

    // MARK: Floating point

    private mutating func liftFloat(_ lifting: Lifting, _ operation: Operation, _ pc: UInt64) {
        let record = HelperRecord(operation)
        if case .float(let format, let kind) = lifting {
            guard let statement = floatOperation(kind, operation) else { return add(.helper(record), pc) }
            requireFloat(pc)
            return add(.float(format, statement, record), pc)
        }
        requireFloat(pc)
        let float = Slot(float: operation.rd)
        switch lifting {
        case .loadFloat(.double):
            add(.load(MemoryType(bytes: 8), float, operation.first, operation.immediate), pc)
        case .loadFloat(.single): add(.loadSingle(float, operation.first, operation.immediate), pc)
        case .storeFloat(let format):
            let type = MemoryType(bytes: format == .double ? 8 : 4)
            add(.store(type, operation.first, .slot(Slot(float: operation.rs2)), operation.immediate), pc)
        case .moveToInteger(let format):
            if let destination = operation.destination {
                let kind: UnaryOperation = format == .double ? .copy : .signExtend32
                add(.unary(kind, .bits64, destination, .slot(Slot(float: operation.rs1))), pc)
            }
        case .moveFromInteger(.double): add(.unary(.copy, .bits64, float, operation.first), pc)
        case .moveFromInteger(.single): add(.box(float, operation.first), pc)
        default: preconditionFailure("not a floating-point instruction")
        }
    }

    private mutating func requireFloat(_ pc: UInt64) {
        if !isFloatReady { add(.requireFloat, pc) }
        isFloatReady = true
    }

    /// Nil where the rounding mode is none that the host's unit is set to.
    private func floatOperation(_ kind: FloatLifting, _ operation: Operation) -> FloatOperation? {
        let (d, a, b) = (Slot(float: operation.rd), Slot(float: operation.rs1), Slot(float: operation.rs2))
        // Nearest even, or that of frm, which `requireFloat` has found to be the same.
        let isNearest = operation.rounding == 0 || operation.rounding == 7
        switch kind {
        case .sign(let sign): return .sign(sign, d, a, b)
        case .compare(let comparison): return .compare(comparison, operation.destination, a, b)
        case .toInteger(let wide) where operation.rounding == 1:
            return .toInteger(operation.destination, a, wide: wide, truncating: true)
        case _ where !isNearest: return nil
        case .binary(let binary): return .binary(binary, d, a, b)
        case .squareRoot: return .squareRoot(d, a)
        case .fused(let fused): return .fused(fused, d, a, b, Slot(float: operation.rs3))
        case .toInteger(let wide): return .toInteger(operation.destination, a, wide: wide, truncating: false)
        case .fromInteger(let wide): return .fromInteger(d, operation.first, wide: wide)
        case .convert: return .convert(d, a)
        }
    }
}

extension Operation {
    /// The slot that the instruction writes; nil for x0.
    var destination: Slot? { rd == HartState.sink || rd == 0 ? nil : Slot(rd) }

    fileprivate var first: Operand { .integer(rs1) }
    fileprivate var second: Operand { .integer(rs2) }

    /// FENCE with a store before and a load after; TSO's other orders hold on the host anyway (Unprivileged Architecture
    /// 2.7). I/O counts as memory.
    fileprivate var ordersStoresBeforeLoads: Bool {
        let isTSO = raw >> 28 == 8
        return !isTSO && raw >> 24 & 0b0101 != 0 && raw >> 20 & 0b1010 != 0
    }
}

extension Operand {
    fileprivate static func integer(_ number: UInt8) -> Operand { number == 0 ? .constant(0) : .slot(Slot(number)) }
}

extension Slot {
    /// f0 to f31 follow the integer registers and the sink.
    init(float number: UInt8) { self.init(33 + number) }
}

extension HelperRecord {
    /// The operation as its handler expects it, at the start of a block.
    init(_ operation: Operation) {
        precondition(MemoryLayout<Operation>.stride == 24, "a record is an operation")
        var operation = operation
        operation.offset = 0
        operation.index = 0
        self = withUnsafeBytes(of: operation) { bytes in
            HelperRecord(
                (
                    bytes.load(fromByteOffset: 0, as: UInt64.self), bytes.load(fromByteOffset: 8, as: UInt64.self),
                    bytes.load(fromByteOffset: 16, as: UInt64.self)
                ))
        }
    }
}
