/// A set of slots, as one bit for each.
public struct SlotSet: Sendable {
    @usableFromInline var words = InlineArray<4, UInt64>(repeating: 0)

    /// The empty set.
    @inlinable public init() {}

    /// Whether the slot is in the set.
    @inlinable @inline(__always)
    public func contains(_ slot: Slot) -> Bool { words[Int(slot.index) >> 6] >> UInt64(slot.index & 63) & 1 == 1 }

    /// Adds a slot.
    @inlinable @inline(__always)
    public mutating func insert(_ slot: Slot) { words[Int(slot.index) >> 6] |= 1 << UInt64(slot.index & 63) }

    /// Takes a slot out, if it is there.
    @inlinable @inline(__always)
    public mutating func remove(_ slot: Slot) { words[Int(slot.index) >> 6] &= ~(1 << UInt64(slot.index & 63)) }

    /// Empties the set.
    @inlinable public mutating func removeAll() { words = InlineArray(repeating: 0) }

    /// How many slots are in one of the two sets only.
    package func differences(_ other: SlotSet) -> Int {
        words.indices.reduce(0) { $0 + (words[$1] ^ other.words[$1]).nonzeroBitCount }
    }
}
