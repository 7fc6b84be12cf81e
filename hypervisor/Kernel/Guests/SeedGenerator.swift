import Support

/// Makes seeds for the random number generators of guests, from the one that firmware has for the hypervisor (`rng-seed` in /chosen of the
/// board's device tree). Without a seed of their own, Linux guests make each random number slowly from what little they have, and do so at
/// each system call.
///
/// Seeds are blocks of ChaCha20 (RFC 8439, section 2.3). The first half of each block is the next key, so that nothing here tells what an
/// earlier guest got.
struct SeedGenerator {
    typealias Words = InlineArray<8, UInt32>

    private var key = Words(repeating: 0)
    /// Whether firmware gave as much as a seed has: 32 bytes.
    private(set) var isSeeded = false

    /// Takes firmware's seed, and erases it.
    mutating func take(from tree: DeviceTree) {
        var place: (offset: Int, length: Int) = (0, 0)
        tree.forEachNode { node in
            if node.depth == 1, tree.equals("chosen", at: node.name), let seed = node.property("rng-seed") {
                place = seed
            }
        }
        guard place.offset + place.length <= tree.size else { return }
        for index in 0..<place.length / 4 {
            // ChaCha's words are little-endian.
            key[index % 8] ^= tree.word(place.offset + 4 * index).byteSwapped
            if index % 8 == 7 { _ = next() }
        }
        isSeeded = place.length >= 32
        UnsafeMutableRawPointer(mutating: tree.base + place.offset)
            .initializeMemory(as: UInt8.self, repeating: 0, count: place.length)
    }

    /// A seed that no one else gets.
    mutating func next() -> Words {
        var block = InlineArray<16, UInt32>(repeating: 0)
        // "expand 32-byte k", the key, and a counter and a nonce of 0: each key makes one block.
        (block[0], block[1], block[2], block[3]) = (0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574)
        for index in 0..<8 { block[4 + index] = key[index] }
        let start = block
        for _ in 0..<10 {
            for column in 0..<4 { Self.quarterRound(&block, column, 4 + column, 8 + column, 12 + column) }
            for column in 0..<4 {
                Self.quarterRound(
                    &block, column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
            }
        }
        var seed = Words(repeating: 0)
        for index in 0..<8 {
            key[index] = block[index] &+ start[index]
            seed[index] = block[8 + index] &+ start[8 + index]
        }
        return seed
    }

    private static func quarterRound(
        _ block: inout InlineArray<16, UInt32>, _ a: Int, _ b: Int, _ c: Int, _ d: Int
    ) {
        func mix(_ sum: Int, _ term: Int, _ rotated: Int, _ distance: UInt32) {
            block[sum] &+= block[term]
            let word = block[rotated] ^ block[sum]
            block[rotated] = word << distance | word >> (32 - distance)
        }
        mix(a, b, d, 16)
        mix(c, d, b, 12)
        mix(a, b, d, 8)
        mix(c, d, b, 7)
    }
}
