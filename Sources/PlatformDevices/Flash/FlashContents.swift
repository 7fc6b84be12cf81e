/// Cells that live with the machine. Only erase blocks in which some bit is programmed take memory.
struct FlashContents: FlashCells, Equatable, Sendable {
    /// Bytes of a block, the unit of erasure.
    static let blockSize = 256 * 1024
    static let erased: UInt8 = 0xFF

    var isReadOnly: Bool { false }
    /// Bytes; a multiple of `blockSize`.
    let size: Int
    /// Nil stands for a block of erased cells.
    private(set) var blocks: [[UInt8]?]

    /// Erased cells.
    init(size: Int) {
        precondition(size > 0 && size % Self.blockSize == 0, "a flash bank is whole blocks")
        self.size = size
        blocks = Array(repeating: nil, count: size / Self.blockSize)
    }

    /// Replaces a block; cells after `bytes`, at most a block's, are erased.
    mutating func setBlock(_ index: Int, _ bytes: some Collection<UInt8>) {
        guard bytes.contains(where: { $0 != Self.erased }) else {
            blocks[index] = nil
            return
        }
        blocks[index] = Array(bytes) + Array(repeating: Self.erased, count: Self.blockSize - bytes.count)
    }

    /// The byte at `offset`, which is below `size`.
    func byte(at offset: Int) -> UInt8 {
        blocks[offset / Self.blockSize]?[offset % Self.blockSize] ?? Self.erased
    }

    mutating func program(_ value: UInt8, at offset: Int) {
        guard value != Self.erased else { return }
        let index = offset / Self.blockSize
        if blocks[index] == nil { blocks[index] = Array(repeating: Self.erased, count: Self.blockSize) }
        // In place: a copy of the block for each byte would cost too much.
        blocks[index]![offset % Self.blockSize] &= value
    }

    mutating func erase(block index: Int) { blocks[index] = nil }
}
