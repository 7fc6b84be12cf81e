internal import SavedState

extension SavedRecord {
    /// An integer field in which only the bits of `mask` may be set.
    func bits<Integer: FixedWidthInteger>(_ name: String, mask: Integer) throws(SavedStateError) -> Integer {
        let value: Integer = try integer(name)
        guard value & ~mask == 0 else { throw .badField(kind: kind, field: name) }
        return value
    }

    /// A list of exactly as many integers as there are masks, each with only the bits of its mask set.
    func words(_ name: String, masks: [UInt32]) throws(SavedStateError) -> [UInt32] {
        var result: [UInt32] = []
        for (value, mask) in zip(try integers(name, count: masks.count), masks) {
            guard value & ~UInt64(mask) == 0 else { throw .badField(kind: kind, field: name) }
            result.append(UInt32(value))
        }
        return result
    }
}
