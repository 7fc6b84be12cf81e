internal import Machine

/// Cells in memory that vCPUs read directly, with the pages that differ from the bank's store.
struct StoredCells: FlashCells {
    private static let pageSize = 4096
    /// The most bytes of a write to the store.
    private static let longestRun = 1 << 20

    let isReadOnly: Bool
    private let memory: DeviceMemory
    /// A bit for each page.
    private var dirty: [UInt64]
    private var dirtyCount = 0
    /// Whether `program` or `erase` was called since this was set to false.
    var isChanged = false

    init(_ memory: DeviceMemory, isReadOnly: Bool) {
        self.memory = memory
        self.isReadOnly = isReadOnly
        dirty = Array(repeating: 0, count: Int(memory.size) / Self.pageSize / 64 + 1)
    }

    var isDirty: Bool { dirtyCount > 0 }

    mutating func program(_ value: UInt8, at offset: Int) {
        let old = memory.bytes[offset]
        guard old & value != old else { return }
        memory.bytes[offset] = old & value
        mark(offset / Self.pageSize)
    }

    mutating func erase(block index: Int) {
        let start = index * FlashContents.blockSize
        for offset in start..<start + FlashContents.blockSize { memory.bytes[offset] = FlashContents.erased }
        mark(pagesOf: start..<start + FlashContents.blockSize)
    }

    /// Marks pages as different from the store.
    mutating func mark(pagesOf bytes: Range<Int>) {
        for page in bytes.lowerBound / Self.pageSize..<(bytes.upperBound + Self.pageSize - 1) / Self.pageSize {
            mark(page)
        }
    }

    private mutating func mark(_ page: Int) {
        isChanged = true
        guard !isMarked(page) else { return }
        dirty[page / 64] |= 1 << UInt64(page % 64)
        dirtyCount += 1
    }

    private func isMarked(_ page: Int) -> Bool { dirty[page / 64] >> UInt64(page % 64) & 1 == 1 }

    /// Unmarks the first run of marked pages, and returns its bytes; nil when there is none.
    mutating func takeRun() -> Range<Int>? {
        guard let word = dirty.firstIndex(where: { $0 != 0 }) else { return nil }
        let first = word * 64 + dirty[word].trailingZeroBitCount
        var end = first
        while end < Int(memory.size) / Self.pageSize, (end - first) * Self.pageSize < Self.longestRun, isMarked(end) {
            dirty[end / 64] &= ~(1 << UInt64(end % 64))
            dirtyCount -= 1
            end += 1
        }
        return first * Self.pageSize..<end * Self.pageSize
    }
}
