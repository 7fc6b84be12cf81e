extension Statement {
    /// A load or store, as sharing sees it.
    package var access: (base: Operand, displacement: Int32, bytes: Int, isStore: Bool)? {
        switch self {
        case .load(let type, let slot, let base, let displacement):
            slot == nil ? nil : (base, displacement, type.bytes, false)
        case .store(let type, let base, _, let displacement): (base, displacement, type.bytes, true)
        case .loadSingle(_, let base, let displacement): (base, displacement, 4, false)
        default: nil
        }
    }

    /// The slot that a load or store takes its address from.
    package var accessBase: Slot? {
        if case .slot(let slot) = access?.base { slot } else { nil }
    }

    /// Displacements that mean the same addresses after this statement has added a constant to their base.
    package func displaced(_ range: Range<Int32>, from slot: Slot) -> Range<Int32>? {
        guard case .binary(.add, .bits64, slot, .slot(slot), .constant(let value)) = self,
            let added = Int32(exactly: Int64(bitPattern: value)), added.magnitude <= 4096,
            range.lowerBound.magnitude <= 1 << 21
        else { return nil }
        return range.lowerBound - added..<range.upperBound - added
    }

    /// The integer slot that a floating-point statement writes.
    package var floatDestination: Slot? {
        guard case .float(_, let operation, _) = self else { return nil }
        return switch operation {
        case .compare(_, let slot, _, _), .toInteger(let slot, _, _, _): slot
        default: nil
        }
    }
}
