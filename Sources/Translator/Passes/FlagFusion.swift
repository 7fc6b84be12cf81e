extension GuestBlock {
    /// Replaces conditions on the flags of a subtraction or a result of 64 bits in the same block by comparisons. Flags without
    /// another reader are dead writes then, if later flags replace them.
    package mutating func fuseFlags() {
        for index in steps.indices {
            guard case .setFlag(let condition, let slot, .slot(let flags)) = steps[index].statement,
                let (comparison, a, b) = comparison(condition, flags, before: index)
            else { continue }
            steps[index].statement = .set(comparison, slot, a, b)
        }
        if case .branchFlag(let condition, .slot(let flags), let taken, let next) = terminator,
            let (comparison, a, b) = comparison(condition, flags, before: steps.endIndex)
        {
            terminator = .branch(comparison, a, b, taken: taken, next: next)
        }
    }

    /// The comparison that a condition on flags stands for before a step; nil if its operands have changed or there is none.
    private func comparison(
        _ condition: FlagCondition, _ flags: Slot, before end: Int
    ) -> (Condition, Operand, Operand)? {
        var changed = SlotSet()
        for step in steps[..<end].reversed() {
            let statement = step.statement
            if statement.destination == flags {
                guard case .flags(let operation, .bits64, _, let a, let b) = statement else { return nil }
                for operand in [a, b] {
                    if case .slot(let slot) = operand, changed.contains(slot) || slot == flags { return nil }
                }
                switch operation {
                case .subtract: return condition.comparison.map { ($0, a, b) }
                case .logic: return condition.comparisonWithZero.map { ($0, a, .constant(0)) }
                case .add: return nil
                }
            }
            if statement.mayWriteAnything { return nil }
            if let slot = statement.destination { changed.insert(slot) }
        }
        return nil
    }
}

extension Statement {
    /// The statement may write slots that it does not name.
    fileprivate var mayWriteAnything: Bool {
        switch self {
        // Vectors are two slots, and the helpers of the others may write any.
        case .helper, .float, .atomic, .vector, .vectorLoad: true
        default: false
        }
    }
}
