extension GuestBlock {
    /// Removes writes that a later one replaces before anything can see them.
    ///
    /// All slots are seen at the end of the block and wherever a statement may leave it: at accesses to memory, which may
    /// fault, and at helpers.
    package mutating func removeDeadWrites() {
        var overwritten: Set<Slot> = []
        if case .indirect(_, _, let link?, _) = terminator { overwritten.insert(link) }
        for slot in terminator.reads { overwritten.remove(slot) }
        var kept: [Step] = []
        kept.reserveCapacity(steps.count)
        for step in steps.reversed() {
            if step.statement.mayLeave {
                overwritten.removeAll(keepingCapacity: true)
            } else if let slot = step.statement.destination {
                if overwritten.contains(slot) { continue }
                overwritten.insert(slot)
            }
            for slot in step.statement.reads { overwritten.remove(slot) }
            kept.append(step)
        }
        steps = kept.reversed()
    }
}

extension Statement {
    /// The statement can end the block, or something outside looks at the state.
    var mayLeave: Bool {
        switch self {
        case .load, .store, .helper, .requireFloat, .require, .float, .loadSingle, .atomic: true
        case .binary, .unary, .set, .barrier, .box: false
        }
    }

    /// The slot that a statement other than a helper writes.
    var destination: Slot? {
        switch self {
        case .binary(_, _, let slot, _, _), .unary(_, _, let slot, _), .set(_, let slot, _, _),
            .loadSingle(let slot, _, _),
            .box(let slot, _):
            slot
        case .load(_, let slot, _, _), .atomic(_, _, let slot, _, _, _): slot
        case .store, .barrier, .helper, .requireFloat, .require, .float: nil
        }
    }

    /// The slots that a statement which cannot leave reads.
    fileprivate var reads: [Slot] {
        switch self {
        case .binary(_, _, _, let a, let b), .set(_, _, let a, let b), .store(_, let a, let b, _),
            .atomic(_, _, _, let a, let b, _):
            slots(a, b)
        case .unary(_, _, _, let a), .load(_, _, let a, _), .loadSingle(_, let a, _), .box(_, let a): slots(a)
        case .barrier, .helper, .requireFloat, .require, .float: []
        }
    }
}

extension Terminator {
    fileprivate var reads: [Slot] {
        switch self {
        case .jump: []
        case .branch(_, let a, let b, _, _): slots(a, b)
        case .indirect(let a, _, _, _): slots(a)
        }
    }
}

private func slots(_ operands: Operand...) -> [Slot] {
    operands.compactMap { if case .slot(let slot) = $0 { slot } else { nil } }
}
