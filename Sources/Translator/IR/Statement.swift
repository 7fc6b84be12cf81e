/// One step of a guest block. Statements read and write slots of guest state, which is exact between guest instructions.
package enum Statement: Sendable {
    case binary(BinaryOperation, Width, Slot, Operand, Operand)
    case unary(UnaryOperation, Width, Slot, Operand)
    /// 1 where the condition holds, else 0.
    case set(Condition, Slot, Operand, Operand)
    /// Loads guest memory at operand + displacement; without a slot only for the fault.
    case load(MemoryType, Slot?, Operand, Int32)
    /// Stores the low bytes of the second operand at the first + displacement.
    case store(MemoryType, Operand, Operand, Int32)
    /// Atomic read-modify-write of guest memory at the first operand: loads the old value into the slot, and stores the result of
    /// the operation on it and the second operand. The helper does the same in every case.
    case atomic(AtomicOperation, wide: Bool, Slot?, Operand, Operand, HelperRecord)
    /// Orders all earlier accesses before all later ones.
    case barrier
    /// Calls a helper that does one guest instruction and may leave the block.
    case helper(HelperRecord)
    /// Floating-point statements may follow: leaves for the interpreter where the guest's unit is off, not yet marked as
    /// changed, or does not round to nearest.
    case requireFloat
    /// Leaves for the interpreter unless one of `StateLayout.requirements` holds.
    case require(Int)
    /// The helper does the same instruction in every case.
    case float(FloatFormat, FloatOperation, HelperRecord)
    /// Loads and stores of singles: the value is boxed when loaded.
    case loadSingle(Slot, Operand, Int32)
    /// slot = low half of the operand, boxed.
    case box(Slot, Operand)
    /// slot = the flags of an operation, as `FlagBits`.
    case flags(FlagOperation, FlagWidth, Slot, Operand, Operand)
    /// 1 where the condition holds of the flags in the operand, else 0.
    case setFlag(FlagCondition, Slot, Operand)
    /// Replaces the lowest byte of the slot, or the lowest two, by those of the operand.
    case insert(bytes: Int, Slot, Operand)
    /// Leaves for the interpreter unless the condition holds: before a division that traps, for example.
    case expect(Condition, Operand, Operand)
    /// Loads and stores of vectors at operand + displacement. A page that the TLB does not hold is the interpreter's.
    case vectorLoad(Slot, Operand, Int32)
    case vectorStore(Slot, Operand, Int32)
    case vector(VectorOperation, Slot, Slot, Slot)
}

/// The change of memory by an atomic access of 32 or 64 bits.
package enum AtomicOperation: Sendable {
    case swap, add, and, or, xor
    /// Memory stays as it is, and is reserved.
    case loadReserved
    /// Memory becomes the second operand if it is reserved and still holds the loaded value; the slot is 0 then, else 1.
    case storeConditional
}

/// The argument of a helper: 24 bytes, the first eight being the helper's own address.
///
/// It is called with the state and the address of the record, and returns the address after the 24 bytes to go on in the
/// block, or anything else to leave it: the dispatcher gets that value.
package struct HelperRecord: Sendable {
    package let words: (UInt64, UInt64, UInt64)

    package init(_ words: (UInt64, UInt64, UInt64)) { self.words = words }

    /// Bytes.
    package static let size = 24
}

/// A statement and the guest instruction it belongs to.
package struct Step: Sendable {
    package var statement: Statement
    /// Instructions of the block before this one.
    package let number: Int
    /// Address of the instruction, in the terms of the block's.
    package let address: UInt64

    package init(_ statement: Statement, number: Int, address: UInt64) {
        self.statement = statement
        self.number = number
        self.address = address
    }
}

/// How a block ends.
package enum Terminator: Sendable {
    case jump(UInt64)
    case branch(Condition, Operand, Operand, taken: UInt64, next: UInt64)
    /// By a condition on the flags in the operand.
    case branchFlag(FlagCondition, Operand, taken: UInt64, next: UInt64)
    /// To (operand + displacement), with bit 0 cleared where `StateLayout.codeAlignment` is 2; then the slot gets the return
    /// address.
    case indirect(Operand, Int32, link: Slot?, returnAddress: UInt64)
}

/// Guest instructions that are entered at the first one only.
package struct GuestBlock: Sendable {
    /// Guest-virtual address of the first instruction. In a relative block this and all other addresses count from the base of
    /// the page that it runs in.
    package let address: UInt64
    /// Whether the block may run in any virtual page.
    package let isRelative: Bool
    package var steps: [Step]
    package var terminator: Terminator
    /// Guest instructions, the terminator's included.
    package let count: Int
    /// How often the block runs compared with others of its region, as far as one can guess.
    package var weight = 1
    /// The loop or function that the block is of: blocks of the same one have the same slots in registers.
    package var unit = 0
    /// Where it goes on in other units, and how often, as `weight` counts.
    package var exits: [(target: UInt64, weight: Int)] = []
    /// How often it goes on outside of its region, as `weight` counts.
    package var crossings = 0
    /// Where a call at the end returns to.
    package var returnAddress: UInt64?
    /// Whether the block ends as functions do.
    package var isReturn = false
    /// Where an indirect jump at the end is likely to go.
    package var likelyTargets: [UInt64] = []
    /// Whether an indirect jump at the end may well go to any other block of the region.
    package var jumpsAnywhere = false
    /// Slots that accesses of the block take their addresses from and that probably stay in a page for long, with the number
    /// of the memory that each has for it; less than `SteadyBases.limit`.
    package var steadyBases: [(slot: Slot, number: Int)] = []
    /// Whether some of the block's instructions lie in the page that follows the first one of its region. It runs only while that page is
    /// what it was translated from.
    package var isBehindBorder = false

    package init(
        address: UInt64, isRelative: Bool = false, steps: [Step], terminator: Terminator, count: Int
    ) {
        self.address = address
        self.isRelative = isRelative
        self.steps = steps
        self.terminator = terminator
        self.count = count
    }
}

extension [GuestBlock] {
    /// The index of each block, by its address.
    package var indicesByAddress: [UInt64: Int] {
        enumerated().reduce(into: [:]) { $0[$1.element.address] = $1.offset }
    }
}
