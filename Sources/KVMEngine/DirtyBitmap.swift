/// Dirty pages of a memory slot: bit `n` is page `n` of the slot, in the layout of KVM_GET_DIRTY_LOG.
struct DirtyBitmap: Sendable {
    private let count: UInt64
    private var words: [UInt64]

    /// A bitmap of `count` clean pages.
    init(count: UInt64) {
        self.count = count
        words = [UInt64](repeating: 0, count: Int((count + 63) / 64))
    }

    /// Marks a page as dirty. A page beyond the slot's end is ignored.
    mutating func insert(_ page: UInt64) {
        if page < count { words[Int(page / 64)] |= 1 << (page % 64) }
    }

    mutating func insertAll() {
        for index in words.indices { words[index] = .max }
        if count % 64 != 0 { words[words.count - 1] = 1 << (count % 64) - 1 }
    }

    /// Calls `body` with the bitmap's words, for the kernel to fill.
    mutating func withWords<Result>(
        _ body: (UnsafeMutablePointer<UInt64>?) throws(KVMError) -> Result
    ) throws(KVMError) -> Result {
        try words.withUnsafeMutableBufferPointer { buffer throws(KVMError) in try body(buffer.baseAddress) }
    }

    /// Numbers of the dirty pages, ascending.
    var pages: [UInt64] {
        var pages: [UInt64] = []
        for (index, word) in words.enumerated() {
            var rest = word
            while rest != 0 {
                pages.append(UInt64(index * 64 + rest.trailingZeroBitCount))
                rest &= rest - 1
            }
        }
        return pages
    }
}
