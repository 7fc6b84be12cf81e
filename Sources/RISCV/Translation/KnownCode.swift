internal import Glibc

/// What `TranslationEngine.find` has answered, for the fetch cache to ask again after it was flushed.
struct KnownCode: ~Copyable {
    private struct Entry {
        var address: UInt64
        /// The guest-physical page.
        var page: UInt64
        /// The `BlockCache.generation` in which the code agreed with guest memory; 0 in entries that hold nothing.
        var generation: UInt64
        var operation: OperationReference?
    }

    private static let size = 1 << 14
    private let entries: UnsafeMutablePointer<Entry>

    init() {
        // Zeroed memory is entries that hold nothing, and costs nothing until it is used.
        guard let memory = calloc(Self.size, MemoryLayout<Entry>.stride) else { fatalError("no memory for a cache") }
        entries = memory.bindMemory(to: Entry.self, capacity: Self.size)
    }

    deinit { free(entries) }

    private func entry(_ address: UInt64) -> UnsafeMutablePointer<Entry> {
        entries + Int((address >> 1 ^ address >> 15) & UInt64(Self.size - 1))
    }

    mutating func find(_ address: UInt64, page: UInt64, generation: UInt64) -> OperationReference? {
        let entry = entry(address)
        guard entry.pointee.address == address, entry.pointee.page == page, entry.pointee.generation == generation
        else { return nil }
        return entry.pointee.operation
    }

    mutating func insert(_ address: UInt64, page: UInt64, generation: UInt64, _ operation: OperationReference) {
        entry(address).pointee = Entry(address: address, page: page, generation: generation, operation: operation)
    }

    mutating func removeAll() { memset(entries, 0, Self.size * MemoryLayout<Entry>.stride) }
}
