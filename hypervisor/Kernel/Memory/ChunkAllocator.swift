import Support

/// The board's memory in chunks of 2 MiB, each with one owner. Everything of a guest (its memory, its tables) lies in
/// chunks of its own, so that its end gives back all of it in one pass, whatever the guest did.
struct ChunkAllocator {
    static let chunkSize: UInt64 = 2 << 20
    /// 16 GiB; memory above that stays unused.
    static let capacity = 8192
    static let free: UInt8 = 0
    static let hypervisor: UInt8 = 254
    static let reserved: UInt8 = 255

    private(set) var start: UInt64 = 0
    private(set) var count = 0
    private var owners = InlineArray<8192, UInt8>(repeating: 255)

    mutating func configure(_ memory: (address: UInt64, size: UInt64)) {
        start = (memory.address + Self.chunkSize - 1) & ~(Self.chunkSize - 1)
        let end = memory.address + memory.size
        count = end > start ? min(Int((end - start) / Self.chunkSize), Self.capacity) : 0
        for chunk in 0..<count { owners[chunk] = Self.free }
    }

    /// Keeps every chunk that has a byte of the range.
    mutating func reserve(_ address: UInt64, _ size: UInt64) {
        guard size > 0, address < end, address &+ size > start else { return }
        let first = Int((max(address, start) - start) / Self.chunkSize)
        let last = Int((min(address &+ size, end) - 1 - start) / Self.chunkSize)
        for chunk in first...last { owners[chunk] = Self.reserved }
    }

    var end: UInt64 { start + UInt64(count) * Self.chunkSize }

    /// The address of a free chunk, which is `owner`'s now.
    mutating func allocate(_ owner: UInt8) -> UInt64? {
        for chunk in 0..<count where owners[chunk] == Self.free {
            owners[chunk] = owner
            return start + UInt64(chunk) * Self.chunkSize
        }
        return nil
    }

    mutating func release(_ owner: UInt8) {
        for chunk in 0..<count where owners[chunk] == owner { owners[chunk] = Self.free }
    }

    /// Bytes that are free.
    var available: UInt64 {
        var chunks: UInt64 = 0
        for chunk in 0..<count where owners[chunk] == Self.free { chunks += 1 }
        return chunks * Self.chunkSize
    }
}
