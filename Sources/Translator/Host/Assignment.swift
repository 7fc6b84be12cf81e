/// Which slots live in which host registers while a piece of generated code runs. The others are in memory.
package struct Assignment: Sendable {
    private var registers: [Register?]
    private var vectors: [Vector?]
    private(set) var integers: [(slot: Slot, register: Register)] = []
    private(set) var floats: [(slot: Slot, vector: Vector)] = []
    /// How many of `HostRegisters.shared` hold no slot.
    private(set) var shared = 0

    init() {
        registers = Array(repeating: nil, count: 256)
        vectors = Array(repeating: nil, count: 256)
    }

    func register(of slot: Slot) -> Register? { registers[Int(slot.index)] }
    func vector(of slot: Slot) -> Vector? { vectors[Int(slot.index)] }

    mutating func assign(_ slot: Slot, _ register: Register) {
        registers[Int(slot.index)] = register
        integers.append((slot, register))
    }

    mutating func assign(_ slot: Slot, _ vector: Vector) {
        vectors[Int(slot.index)] = vector
        floats.append((slot, vector))
    }
}

extension Assignment {
    /// Chooses registers for the slots that blocks use most, by the weights of the blocks.
    ///
    /// A slot that has a register in `standard` keeps it, so that entering and leaving moves little.
    /// Slots from `memorySlot` on stay in memory.
    init(for blocks: [GuestBlock], standard: Assignment, memorySlot: Slot) {
        self.init()
        var uses = SlotUses(memorySlot: memorySlot)
        for block in blocks { uses.count(block) }
        let ranked = uses.integers.mostUsed(HostRegisters.pinned.count)
        shared = Self.sharedCount(blocks, ranked.map { uses.integers[$0] })

        var free = HostRegisters.pinned.filter { !HostRegisters.shared.prefix(shared).contains($0) }
        let chosen = ranked.prefix(free.count)
        for slot in chosen {
            guard let register = standard.register(of: slot), let index = free.firstIndex(of: register) else {
                continue
            }
            free.remove(at: index)
            assign(slot, register)
        }
        for slot in chosen where register(of: slot) == nil { assign(slot, free.removeFirst()) }
        for (slot, vector) in zip(uses.floats.mostUsed(HostRegisters.vectors.count), HostRegisters.vectors) {
            assign(slot, vector)
        }
    }
}

extension Assignment {
    /// How many registers are worth more for the addends of shared pages than for slots.
    ///
    /// - Parameter uses: of the slots that would get a register, the most used one first.
    private static func sharedCount(_ blocks: [GuestBlock], _ uses: [Int]) -> Int {
        // A shared look-up saves about seven instructions; a slot in memory costs one for each use at most.
        let saved = 7 * blocks.reduce(0) { $0 + $1.weight * $1.sharedAccesses }
        var count = 0
        while count < HostRegisters.shared.count {
            let displaced = HostRegisters.pinned.count - 1 - count
            // The second register serves what the first one cannot, which is less.
            guard saved >> (2 * count) > (displaced < uses.count ? uses[displaced] : 0) else { break }
            count += 1
        }
        return count
    }
}

extension GuestBlock {
    /// Accesses that can share the look-up of an earlier one.
    fileprivate var sharedAccesses: Int {
        var result = 0
        var index = steps.startIndex
        while index < steps.endIndex {
            if let base = steps[index].statement.accessBase,
                let span = PageSharing.span(of: steps[index...], base: base)
            {
                result += span.count - 1
                // Others in between count with the same group, so this is not less than what is saved with one register.
                index += span.count
            } else {
                index += 1
            }
        }
        return result
    }
}

/// How often blocks read and write each slot, as a number and as a floating-point number.
private struct SlotUses {
    let memorySlot: Slot
    var integers = SlotCounts()
    var floats = SlotCounts()

    mutating func count(_ block: GuestBlock) {
        for step in block.steps {
            step.statement.visitSlots { slot, isFloat in
                if isFloat { floats[slot] += block.weight } else { integers[slot] += block.weight }
            }
        }
        block.terminator.visitSlots { slot in integers[slot] += block.weight }
        // What is a number to any statement stays in a vector register for all.
        for index in 0...UInt8.max where floats[Slot(index)] > 0 || index >= memorySlot.index {
            integers[Slot(index)] = 0
        }
    }
}

private struct SlotCounts {
    private var counts = [Int](repeating: 0, count: 256)

    subscript(slot: Slot) -> Int {
        get { counts[Int(slot.index)] }
        set { counts[Int(slot.index)] = newValue }
    }

    /// At most `limit` slots, the ones with the largest counts first; ties are broken by the slot, so that the same blocks
    /// always give the same code.
    func mostUsed(_ limit: Int) -> [Slot] {
        let used = (0...UInt8.max).filter { counts[Int($0)] > 0 }
        return used.sorted { (counts[Int($0)], $1) > (counts[Int($1)], $0) }.prefix(limit).map { Slot($0) }
    }
}

extension Statement {
    /// Calls `body` for each slot that the statement reads or writes, telling whether it takes it as a floating-point number.
    fileprivate func visitSlots(_ body: (Slot, Bool) -> Void) {
        func visit(_ operand: Operand) {
            if case .slot(let slot) = operand { body(slot, false) }
        }
        switch self {
        case .binary(_, _, let slot, let a, let b), .set(_, let slot, let a, let b):
            body(slot, false)
            visit(a)
            visit(b)
        case .unary(_, _, let slot, let a):
            body(slot, false)
            visit(a)
        case .load(_, let slot, let base, _):
            visit(base)
            if let slot { body(slot, false) }
        case .store(_, let base, let value, _):
            visit(base)
            visit(value)
        case .atomic(_, _, let slot, let base, let value, _):
            visit(base)
            visit(value)
            if let slot { body(slot, false) }
        case .loadSingle(let slot, let base, _):
            visit(base)
            body(slot, true)
        case .box(let slot, let a):
            visit(a)
            body(slot, true)
        case .float(_, let operation, _): operation.visitSlots(body)
        case .barrier, .helper, .requireFloat, .require: break
        }
    }
}

extension FloatOperation {
    fileprivate func visitSlots(_ body: (Slot, Bool) -> Void) {
        switch self {
        case .binary(_, let d, let a, let b), .sign(_, let d, let a, let b): for slot in [d, a, b] { body(slot, true) }
        case .squareRoot(let d, let a), .convert(let d, let a): for slot in [d, a] { body(slot, true) }
        case .fused(_, let d, let a, let b, let c): for slot in [d, a, b, c] { body(slot, true) }
        case .compare(_, let slot, let a, let b):
            for slot in [a, b] { body(slot, true) }
            if let slot { body(slot, false) }
        case .fromInteger(let d, let a, _):
            body(d, true)
            if case .slot(let slot) = a { body(slot, false) }
        case .toInteger(let slot, let a, _, _):
            body(a, true)
            if let slot { body(slot, false) }
        }
    }
}

extension Terminator {
    fileprivate func visitSlots(_ body: (Slot) -> Void) {
        func visit(_ operand: Operand) {
            if case .slot(let slot) = operand { body(slot) }
        }
        switch self {
        case .jump: break
        case .branch(_, let a, let b, _, _):
            visit(a)
            visit(b)
        case .indirect(let base, _, let link, _):
            visit(base)
            if let link { body(link) }
        }
    }
}
