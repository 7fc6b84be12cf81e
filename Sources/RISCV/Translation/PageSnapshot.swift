/// A page of guest code as it was at one time, to make code from without the translator's lock.
struct PageSnapshot {
    /// As `TranslatedPage` has them.
    let physical: UInt64
    let base: UInt64
    let isRelative: Bool
    let epoch: Int
    let entries: [Int: TranslatedPage.Entry]
    let samples: [Int: Int]
    /// Offsets of blocks that had code once.
    let evicted: Set<Int>
    /// The last region of the page with jumps to anywhere.
    let openRegion: TranslatedPage.OpenRegion?
    /// The page's bytes, which do not change while the snapshot is used.
    let bytes: UnsafeRawPointer

    /// Offsets where blocks begin that have run, those with most samples first.
    var knownOffsets: [Int] { TranslatedPage.hottestFirst(evicted.union(entries.keys), samples) }

    /// The instruction at an offset; nil when it does not lie in the page as a whole.
    func instruction(at offset: Int) -> UInt32? {
        guard offset + 2 <= TranslatedPage.size else { return nil }
        let low = UInt32(bytes.load(fromByteOffset: offset, as: UInt16.self))
        guard low & 3 == 3 else { return low }
        guard offset + 4 <= TranslatedPage.size else { return nil }
        return UInt32(bytes.load(fromByteOffset: offset + 2, as: UInt16.self)) << 16 | low
    }

    /// `count` instructions with their addresses in the terms of blocks.
    func instructions(from address: UInt64, count: Int) -> [(address: UInt64, bits: UInt32)] {
        var result: [(UInt64, UInt32)] = []
        var offset = Int(address & 0xFFF)
        while result.count < count, let bits = instruction(at: offset) {
            result.append((base + UInt64(offset), bits))
            offset += bits & 3 == 3 ? 4 : 2
        }
        return result
    }
}
