/// The memory blocks of a region: which of them are plugged.
struct MemoryBlocks: Equatable, Sendable {
    /// Bit `n % 8` of byte `n / 8` is set while block `n` is plugged.
    private(set) var bytes: [UInt8]
    private(set) var pluggedCount = 0
    let count: Int

    /// No block is plugged.
    init(count: Int) {
        self.count = count
        bytes = [UInt8](repeating: 0, count: (count + 7) / 8)
    }

    /// - Returns: nil for bytes that are not those of `count` blocks.
    init?(bytes: [UInt8], count: Int) {
        self.init(count: count)
        guard bytes.count == self.bytes.count else { return nil }
        self.bytes = bytes
        let all = bytes.reduce(0) { $0 + $1.nonzeroBitCount }
        pluggedCount = plugged(in: 0..<count)
        guard all == pluggedCount else { return nil }
    }

    /// The number of plugged blocks in a range.
    func plugged(in range: Range<Int>) -> Int { range.count { bytes[$0 / 8] >> UInt8($0 % 8) & 1 == 1 } }

    mutating func plug(_ range: Range<Int>) {
        pluggedCount += range.count - plugged(in: range)
        for block in range { bytes[block / 8] |= 1 << UInt8(block % 8) }
    }

    mutating func unplug(_ range: Range<Int>) {
        pluggedCount -= plugged(in: range)
        for block in range { bytes[block / 8] &= ~(1 << UInt8(block % 8)) }
    }
}
