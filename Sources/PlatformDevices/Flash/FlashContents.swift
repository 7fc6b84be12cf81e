/// The cells of a flash bank. Only erase blocks in which some bit is programmed take memory.
struct FlashContents: Equatable, Sendable {
    /// Bytes of a block, the unit of erasure.
    static let blockSize = 256 * 1024
    private static let erased: UInt8 = 0xFF

    /// Bytes; a multiple of `blockSize`.
    let size: Int
    /// Nil stands for a block of erased cells.
    private(set) var blocks: [[UInt8]?]

    /// Cells programmed with `image` from the start, and erased after it. `image` is at most `size` bytes.
    init(size: Int, image: [UInt8] = []) {
        precondition(size > 0 && size % Self.blockSize == 0 && image.count <= size, "a flash bank is whole blocks")
        self.size = size
        blocks = Array(repeating: nil, count: size / Self.blockSize)
        for (index, start) in stride(from: 0, to: image.count, by: Self.blockSize).enumerated() {
            setBlock(index, image[start..<min(start + Self.blockSize, image.count)])
        }
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

    /// Programs a byte: bits can only be cleared.
    mutating func program(_ value: UInt8, at offset: Int) {
        guard value != Self.erased else { return }
        let index = offset / Self.blockSize
        if blocks[index] == nil { blocks[index] = Array(repeating: Self.erased, count: Self.blockSize) }
        // In place: a copy of the block for each byte would cost too much.
        blocks[index]![offset % Self.blockSize] &= value
    }

    mutating func erase(block index: Int) { blocks[index] = nil }
}
