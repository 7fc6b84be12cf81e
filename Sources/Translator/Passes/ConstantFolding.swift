extension GuestBlock {
    /// Replaces slots by the constants they hold, and operations on constants by their results.
    ///
    /// This joins the pairs in which instruction sets with short immediates build constants and addresses.
    ///
    /// - Parameter codeAlignment: of instructions' addresses, as `StateLayout.codeAlignment`.
    package mutating func foldConstants(codeAlignment: Int) {
        var known = KnownSlots()
        for index in steps.indices { steps[index].statement.fold(&known) }
        terminator.fold(known)
        // An indirect jump to a known address is a jump.
        if case .indirect(let operand, let displacement, let link, let returnAddress) = terminator,
            let base = jumpBase(operand)
        {
            if let link {
                steps.append(
                    Step(
                        .unary(.copy, .bits64, link, .code(returnAddress, isRelative: isRelative)),
                        number: count - 1, address: address))
            }
            let target = base &+ UInt64(bitPattern: Int64(displacement))
            terminator = .jump(codeAlignment == 2 ? target & ~1 : target)
        }
    }

    /// The known address that an indirect jump at the end goes to.
    private func jumpBase(_ operand: Operand) -> UInt64? {
        switch operand {
        case .constant(let value): isRelative ? nil : value
        case .address(let value): value
        case .slot: nil
        }
    }
}

/// The slots whose values are known at a point of a block.
private struct KnownSlots {
    private var known = SlotSet()
    /// Those whose values count from the page's base.
    private var relative = SlotSet()
    /// By the slot's index; valid for slots in `known`.
    private var values = InlineArray<256, UInt64>(repeating: 0)

    func resolve(_ operand: Operand) -> Operand {
        guard case .slot(let slot) = operand, known.contains(slot) else { return operand }
        let value = values[Int(slot.index)]
        return relative.contains(slot) ? .address(value) : .constant(value)
    }

    /// Notes the value of a slot from here on. A value that is another slot is unknown.
    mutating func set(_ slot: Slot, _ value: Operand) {
        switch value {
        case .constant(let value):
            relative.remove(slot)
            values[Int(slot.index)] = value
        case .address(let value):
            relative.insert(slot)
            values[Int(slot.index)] = value
        case .slot: return known.remove(slot)
        }
        known.insert(slot)
    }

    mutating func forget(_ slot: Slot) { known.remove(slot) }

    mutating func forgetAll() { known.removeAll() }

    mutating func forgetVector(_ slot: Slot) {
        known.remove(slot)
        known.remove(slot.upperHalf)
    }
}

extension Statement {
    fileprivate mutating func fold(_ known: inout KnownSlots) {
        switch self {
        case .binary(let operation, let width, let slot, let a, let b):
            let (a, b) = (known.resolve(a), known.resolve(b))
            self = .binary(operation, width, slot, a, b)
            if let x = a.constant, let y = b.constant { become(slot, .constant(operation.evaluate(x, y, width))) }
            if width == .bits64, let sum = Operand.sum(operation, a, b) { become(slot, sum) }
        case .unary(let operation, let width, let slot, let a):
            let a = known.resolve(a)
            self = .unary(operation, width, slot, a)
            if let x = a.constant { become(slot, .constant(operation.evaluate(x, width))) }
        case .set(let condition, let slot, let a, let b):
            let (a, b) = (known.resolve(a), known.resolve(b))
            self = .set(condition, slot, a, b)
            if let x = a.constant, let y = b.constant { become(slot, .constant(condition.holds(x, y) ? 1 : 0)) }
        case .load(let type, let slot, let base, let displacement):
            self = .load(type, slot, known.resolve(base), displacement)
        case .store(let type, let base, let value, let displacement):
            self = .store(type, known.resolve(base), known.resolve(value), displacement)
        case .loadSingle(let slot, let base, let displacement):
            self = .loadSingle(slot, known.resolve(base), displacement)
        case .box(let slot, let a): self = .box(slot, known.resolve(a))
        case .flags(let operation, let width, let slot, let a, let b):
            let (a, b) = (known.resolve(a), known.resolve(b))
            self = .flags(operation, width, slot, a, b)
            if let x = a.constant, let y = b.constant { become(slot, .constant(operation.evaluate(x, y, width))) }
        case .setFlag(let condition, let slot, let a):
            let a = known.resolve(a)
            self = .setFlag(condition, slot, a)
            if let x = a.constant { become(slot, .constant(condition.holds(x) ? 1 : 0)) }
        case .insert(let bytes, let slot, let a): self = .insert(bytes: bytes, slot, known.resolve(a))
        case .expect(let condition, let a, let b):
            self = .expect(condition, known.resolve(a), known.resolve(b))
        case .vectorStore(let slot, let base, let displacement):
            self = .vectorStore(slot, known.resolve(base), displacement)
        case .vectorLoad(let slot, let base, let displacement):
            self = .vectorLoad(slot, known.resolve(base), displacement)
            known.forgetVector(slot)
        case .vector(_, let slot, _, _): known.forgetVector(slot)
        case .barrier, .requireFloat, .require: break
        case .helper, .float, .atomic:
            // A helper may write any slot.
            known.forgetAll()
        }
        if case .unary(.copy, _, let slot, let value) = self {
            known.set(slot, value)
        } else if let destination {
            known.forget(destination)
        }
    }

    private mutating func become(_ slot: Slot, _ value: Operand) { self = .unary(.copy, .bits64, slot, value) }
}

extension Terminator {
    fileprivate mutating func fold(_ known: borrowing KnownSlots) {
        switch self {
        case .jump: break
        case .branch(let condition, let a, let b, let taken, let next):
            let (a, b) = (known.resolve(a), known.resolve(b))
            self = .branch(condition, a, b, taken: taken, next: next)
            if let x = a.constant, let y = b.constant { self = .jump(condition.holds(x, y) ? taken : next) }
        case .branchFlag(let condition, let a, let taken, let next):
            let a = known.resolve(a)
            self = .branchFlag(condition, a, taken: taken, next: next)
            if let x = a.constant { self = .jump(condition.holds(x) ? taken : next) }
        case .indirect(let base, let displacement, let link, let returnAddress):
            self = .indirect(known.resolve(base), displacement, link: link, returnAddress: returnAddress)
        }
    }
}

extension Operand {
    /// The sum or difference of an address and a constant; nil for all other operations.
    fileprivate static func sum(_ operation: BinaryOperation, _ a: Operand, _ b: Operand) -> Operand? {
        switch (operation, a, b) {
        case (.add, .address(let x), .constant(let y)), (.add, .constant(let x), .address(let y)): .address(x &+ y)
        case (.subtract, .address(let x), .constant(let y)): .address(x &- y)
        default: nil
        }
    }
}
