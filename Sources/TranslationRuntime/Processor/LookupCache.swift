internal import Glibc
internal import HostSystem

/// A processor's lookup cache: answers of `TranslationEngine.find`, for the time after the jump cache was flushed.
package struct LookupCache: ~Copyable {
    private struct Entry {
        /// Guest-physical.
        var address: UInt64
        /// The virtual page that the code is for, or `anyPage`.
        var page: UInt64
        /// The `TranslationState.generation` in which the code agreed with guest memory; 0 in entries that hold nothing.
        var generation: UInt64
        var code: CodeEntry?
        /// Owned by the engine, which lets no page go before this was told to forget all.
        var owner: Unmanaged<TranslatedPage>?
        /// The page's `epoch` when it had this code.
        var epoch: Int
    }

    private static let size = 1 << 12
    /// No page begins here.
    private static let anyPage: UInt64 = 1
    // Zeroed memory is entries that hold nothing.
    private let entries = zeroedMemory(Entry.self, size)

    deinit { free(entries) }

    private func entry(_ address: UInt64) -> UnsafeMutablePointer<Entry> {
        entries + Int((address >> 1 ^ address >> 15) & UInt64(Self.size - 1))
    }

    mutating func find(
        _ address: UInt64, physical: UInt64, generation: UInt64, _ engine: TranslationEngine
    ) -> CodeEntry? {
        let entry = entry(physical)
        guard entry.pointee.address == physical,
            entry.pointee.page == address & ~0xFFF || entry.pointee.page == Self.anyPage
        else { return nil }
        if entry.pointee.generation == generation { return entry.pointee.code }
        // In a new generation the page is compared once; all entries of it then only look at its epoch.
        guard let owner = entry.pointee.owner,
            owner._withUnsafeGuaranteedRef({ engine.epoch(of: $0, generation: generation) }) == entry.pointee.epoch
        else { return nil }
        entry.pointee.generation = generation
        return entry.pointee.code
    }

    mutating func insert(
        physical: UInt64, generation: UInt64, _ code: CodeEntry, of owner: TranslatedPage, epoch: Int
    ) {
        entry(physical).pointee = Entry(
            address: physical, page: owner.virtual ?? Self.anyPage, generation: generation, code: code,
            owner: Unmanaged.passUnretained(owner), epoch: epoch)
    }

    mutating func removeAll() { memset(entries, 0, Self.size * MemoryLayout<Entry>.stride) }
}
