/// A set of pages of a memory, by their numbers: page `n` has the bytes from `n * pageSize` on.
package struct PageSet: Equatable, Sendable {
    package static let pageSize: UInt64 = 4096

    /// Bit `n % 64` of word `n / 64` is page `n`.
    private var words: [UInt64]
    package private(set) var count: UInt64 = 0

    /// - Parameter size: bytes of the memory.
    package init(size: UInt64) { words = [UInt64](repeating: 0, count: Int((size / Self.pageSize + 63) / 64)) }

    package var isEmpty: Bool { count == 0 }

    package func contains(_ page: UInt64) -> Bool { words[Int(page / 64)] & (1 << (page % 64)) != 0 }

    package func contains(_ pages: Range<UInt64>) -> Bool { pages.allSatisfy { contains($0) } }

    package mutating func insert(_ page: UInt64) {
        guard !contains(page) else { return }
        words[Int(page / 64)] |= 1 << (page % 64)
        count += 1
    }

    package mutating func insert(_ pages: Range<UInt64>) { for page in pages { insert(page) } }

    package mutating func remove(_ page: UInt64) {
        guard contains(page) else { return }
        words[Int(page / 64)] &= ~(1 << (page % 64))
        count -= 1
    }

    package mutating func remove(_ pages: Range<UInt64>) { for page in pages { remove(page) } }

    /// The first pages in a row at or after a page.
    ///
    /// - Parameter most: how many at most.
    package func run(from page: UInt64, most: UInt64) -> Range<UInt64>? {
        guard let first = first(from: page) else { return nil }
        var end = first + 1
        let limit = min(first + most, 64 * UInt64(words.count))
        while end < limit, contains(end) { end += 1 }
        return first..<end
    }

    /// All pages, as ranges of numbers: ascending, with gaps between them.
    package var runs: [Range<UInt64>] {
        var result: [Range<UInt64>] = []
        for (index, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                let first = rest.trailingZeroBitCount
                let count = (~(rest >> UInt64(first))).trailingZeroBitCount
                let begin = UInt64(index) * 64 + UInt64(first)
                let end = begin + UInt64(count)
                if let last = result.last, last.upperBound == begin {
                    result[result.count - 1] = last.lowerBound..<end
                } else {
                    result.append(begin..<end)
                }
                rest = first + count == 64 ? 0 : rest & (UInt64.max << UInt64(first + count))
            }
        }
        return result
    }

    private func first(from page: UInt64) -> UInt64? {
        var index = Int(page / 64)
        guard index < words.count else { return nil }
        var word = words[index] & (UInt64.max << (page % 64))
        while word == 0 {
            index += 1
            guard index < words.count else { return nil }
            word = words[index]
        }
        return 64 * UInt64(index) + UInt64(word.trailingZeroBitCount)
    }
}
