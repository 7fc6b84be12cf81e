/// The cells of a flash bank as its command interface changes them.
protocol FlashCells {
    /// Whether every block is locked, so that `program` and `erase` are never called.
    var isReadOnly: Bool { get }

    /// Programs a byte: bits can only be cleared.
    mutating func program(_ value: UInt8, at offset: Int)

    /// Erases a block of `FlashContents.blockSize` bytes: all of its bits are set.
    mutating func erase(block index: Int)
}
