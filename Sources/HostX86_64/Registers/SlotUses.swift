internal import Translator

/// How often blocks use each slot, as a number and as a floating-point number, by the blocks' weights.
struct SlotUses {
    // By the slot's index, up to the highest one.
    private var integers: [Int] = []
    private var floats: [Int] = []
    /// How often an access could share the look-up of an earlier one.
    private var sharedAccesses = 0
    /// How often the blocks go on outside of their region, and how often they are entered from there, each.
    private var crossings = 0
    /// Slots that baseline code has in registers.
    private let baseline: SlotSet
    /// Uses that the best registers can save at most, compared with none.
    private(set) var total = 0

    /// - Parameter baseline: slots that baseline code has in registers.
    init(baseline: [Slot]) {
        var slots = SlotSet()
        for slot in baseline { slots.insert(slot) }
        self.baseline = slots
        makeRoom(1 + Int(baseline.map(\.index).max() ?? 0))
    }

    /// Slots from `memorySlot` on do not count as integers.
    mutating func count(_ block: GuestBlock, memorySlot: Slot) {
        for step in block.steps {
            step.statement.visitSlots { slot, isFloat in
                if isFloat || slot.index < memorySlot.index { add(slot, isFloat, block.weight) }
            }
        }
        block.terminator.visitSlots { if $0.index < memorySlot.index { add($0, false, block.weight) } }
        crossings += block.crossings
        sharedAccesses += block.weight * block.sharedAccesses
        total += 9 * block.weight * block.sharedAccesses
    }

    private mutating func add(_ slot: Slot, _ isFloat: Bool, _ weight: Int) {
        let index = Int(slot.index)
        makeRoom(index + 1)
        if isFloat { floats[index] += weight } else { integers[index] += weight }
        total += weight
    }

    private mutating func makeRoom(_ count: Int) {
        while integers.count < count {
            integers.append(0)
            floats.append(0)
        }
    }

    mutating func add(_ other: SlotUses) {
        makeRoom(other.integers.count)
        for index in other.integers.indices {
            integers[index] += other.integers[index]
            floats[index] += other.floats[index]
        }
        crossings += other.crossings
        sharedAccesses += other.sharedAccesses
        total += other.total
    }

    /// The registers that serve these uses best.
    func choose() -> RegisterChoice {
        var choice = RegisterChoice()
        // What is a floating-point number to any statement stays in a vector register for all.
        let ranked = Self.ranked(integers.indices.map { floats[$0] == 0 ? integerGain($0) : 0 })
        choice.shared = sharedCount(ranked)
        let count = HostRegisters.pinned.count - choice.shared
        for rank in ranked.prefix(count) { choice.addInteger(Self.slot(rank)) }
        for rank in Self.ranked(floats.map { $0 - movesCost }).prefix(HostRegisters.vectors.count) {
            choice.addFloat(Self.slot(rank))
        }
        choice.cost = cost(of: choice)
        return choice
    }

    /// What a register for a slot saves: its uses, and the moves where the region is entered and left.
    private func integerGain(_ index: Int) -> Int {
        integers[index] + (baseline.contains(Slot(UInt8(index))) ? movesCost : -movesCost)
    }

    /// The cost of a slot that is in a register in the region and not in baseline code, or the other way: a load on the way in and a store
    /// on the way out.
    private var movesCost: Int { 2 * crossings }

    private func cost(of choice: RegisterChoice) -> Int {
        var result = 0
        for index in integers.indices {
            let slot = Slot(UInt8(index))
            if !choice.contains(slot) { result += integers[index] + floats[index] }
            if choice.contains(slot) != baseline.contains(slot) { result += movesCost }
        }
        if choice.shared > 0 { result -= saved }
        if choice.shared > 1 { result -= saved >> 2 }
        return result
    }

    /// A shared look-up saves about seven instructions; a slot in memory costs one for each use at most.
    private var saved: Int { 7 * sharedAccesses }

    /// How many registers are worth more for the addends of shared pages than for slots.
    private func sharedCount(_ ranked: [Int]) -> Int {
        var count = 0
        while count < HostRegisters.shared.count {
            let displaced = HostRegisters.pinned.count - 1 - count
            // The second register serves what the first one cannot, which is less.
            guard saved >> (2 * count) > (displaced < ranked.count ? Self.uses(ranked[displaced]) : 0) else { break }
            count += 1
        }
        return count
    }

    /// The slots with a gain, as `uses` and `slot` read them. The one with most is first; ties are broken by the slot, so that the
    /// same blocks always give the same code.
    private static func ranked(_ gains: [Int]) -> [Int] {
        var result: [Int] = []
        for (index, gain) in gains.enumerated() where gain > 0 { result.append(gain << 8 | (255 - index)) }
        result.sort(by: >)
        return result
    }

    private static func uses(_ rank: Int) -> Int { rank >> 8 }
    private static func slot(_ rank: Int) -> Slot { Slot(UInt8(255 - rank & 255)) }
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

extension Statement {
    /// Calls `body` for each slot that the statement reads or writes, telling whether it takes it as a floating-point number.
    fileprivate func visitSlots(_ body: (Slot, Bool) -> Void) {
        func visit(_ operand: Operand) {
            if case .slot(let slot) = operand { body(slot, false) }
        }
        switch self {
        case .binary(_, _, let slot, let a, let b), .set(_, let slot, let a, let b),
            .flags(_, _, let slot, let a, let b):
            body(slot, false)
            visit(a)
            visit(b)
        case .unary(_, _, let slot, let a), .setFlag(_, let slot, let a), .insert(_, let slot, let a):
            body(slot, false)
            visit(a)
        case .expect(_, let a, let b):
            visit(a)
            visit(b)
        // Vectors are in memory.
        case .vectorLoad(_, let base, _), .vectorStore(_, let base, _): visit(base)
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
        case .barrier, .helper, .requireFloat, .require, .vector: break
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
        case .branchFlag(_, let a, _, _): visit(a)
        case .indirect(let base, _, let link, _):
            visit(base)
            if let link { body(link) }
        }
    }
}
