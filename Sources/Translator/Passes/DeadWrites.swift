extension GuestBlock {
    /// Removes writes that a later one replaces before anything can see them.
    ///
    /// All slots are seen at the end of the block and wherever a statement may leave it: at accesses to memory, which may
    /// fault, and at helpers.
    package mutating func removeDeadWrites() {
        var overwritten = SlotSet()
        if case .indirect(_, _, let link?, _) = terminator { overwritten.insert(link) }
        terminator.visitReads { overwritten.remove($0) }
        var kept: [Step] = []
        kept.reserveCapacity(steps.count)
        for step in steps.reversed() {
            if step.statement.mayLeave {
                overwritten.removeAll()
            } else if let slot = step.statement.destination {
                if overwritten.contains(slot) { continue }
                overwritten.insert(slot)
            }
            step.statement.visitReads { overwritten.remove($0) }
            kept.append(step)
        }
        steps = kept.reversed()
    }
}

extension Statement {
    /// The statement can end the block, or something outside looks at the state.
    package var mayLeave: Bool {
        switch self {
        case .load, .store, .helper, .requireFloat, .require, .float, .loadSingle, .atomic, .expect, .vectorLoad,
            .vectorStore:
            true
        case .binary, .unary, .set, .barrier, .box, .flags, .setFlag, .insert, .vector: false
        }
    }

    /// The slot that a statement writes as a whole; nil for helpers and vectors.
    package var destination: Slot? {
        switch self {
        case .binary(_, _, let slot, _, _), .unary(_, _, let slot, _), .set(_, let slot, _, _),
            .loadSingle(let slot, _, _), .box(let slot, _), .flags(_, _, let slot, _, _), .setFlag(_, let slot, _),
            .insert(_, let slot, _):
            slot
        case .load(_, let slot, _, _), .atomic(_, _, let slot, _, _, _): slot
        case .store, .barrier, .helper, .requireFloat, .require, .float, .expect, .vector, .vectorLoad, .vectorStore:
            nil
        }
    }

    /// Calls `body` for the slots that a statement which cannot leave reads.
    @inline(__always)
    fileprivate func visitReads(_ body: (Slot) -> Void) {
        switch self {
        case .binary(_, _, _, let a, let b), .set(_, _, let a, let b), .store(_, let a, let b, _),
            .atomic(_, _, _, let a, let b, _), .flags(_, _, _, let a, let b), .expect(_, let a, let b):
            visit(a, body)
            visit(b, body)
        case .insert(_, let slot, let a):
            body(slot)
            visit(a, body)
        case .vector(_, _, let a, let b): for slot in [a, b] { visitVector(slot, body) }
        case .vectorStore(let slot, let a, _):
            visitVector(slot, body)
            visit(a, body)
        case .unary(_, _, _, let a), .load(_, _, let a, _), .loadSingle(_, let a, _), .box(_, let a),
            .setFlag(_, _, let a),
            .vectorLoad(_, let a, _):
            visit(a, body)
        case .barrier, .helper, .requireFloat, .require, .float: break
        }
    }
}

extension Terminator {
    @inline(__always)
    fileprivate func visitReads(_ body: (Slot) -> Void) {
        switch self {
        case .jump: break
        case .branch(_, let a, let b, _, _):
            visit(a, body)
            visit(b, body)
        case .branchFlag(_, let a, _, _), .indirect(let a, _, _, _): visit(a, body)
        }
    }
}

@inline(__always)
private func visit(_ operand: Operand, _ body: (Slot) -> Void) {
    if case .slot(let slot) = operand { body(slot) }
}

/// Both halves of a vector.
@inline(__always)
private func visitVector(_ slot: Slot, _ body: (Slot) -> Void) {
    body(slot)
    body(slot.upperHalf)
}
