/// A set of slots, as one bit for each.
public struct SlotSet: Sendable {
    @usableFromInline var words = InlineArray<4, UInt64>(repeating: 0)

    @inlinable public init() {}

    @inlinable @inline(__always)
    public func contains(_ slot: Slot) -> Bool { words[Int(slot.index) >> 6] >> UInt64(slot.index & 63) & 1 == 1 }

    @inlinable @inline(__always)
    public mutating func insert(_ slot: Slot) { words[Int(slot.index) >> 6] |= 1 << UInt64(slot.index & 63) }

    @inlinable @inline(__always)
    public mutating func remove(_ slot: Slot) { words[Int(slot.index) >> 6] &= ~(1 << UInt64(slot.index & 63)) }

    @inlinable public mutating func removeAll() { words = InlineArray(repeating: 0) }

    /// How many slots are in one of the two sets only.
    package func differences(_ other: SlotSet) -> Int {
        words.indices.reduce(0) { $0 + (words[$1] ^ other.words[$1]).nonzeroBitCount }
    }
}
