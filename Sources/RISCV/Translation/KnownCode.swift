internal import Glibc

/// What `TranslationEngine.find` has answered, for the fetch cache to ask again after it was flushed.
struct KnownCode: ~Copyable {
    private struct Entry {
        /// Guest-physical.
        var address: UInt64
        /// The virtual page that the code is for, or `anyPage`.
        var page: UInt64
        /// The `HartState.codeGeneration` in which the code agreed with guest memory; 0 in entries that hold nothing.
        var generation: UInt64
        var operation: OperationReference?
        /// Owned by the engine, which lets no page go before this was told to forget all.
        var owner: Unmanaged<TranslatedPage>?
        /// The page's `epoch` when it had this code.
        var epoch: Int
    }

    private static let size = 1 << 14
    /// No page begins here.
    private static let anyPage: UInt64 = 1
    // Zeroed memory is entries that hold nothing.
    private let entries = zeroedMemory(Entry.self, size)

    deinit { free(entries) }

    private func entry(_ address: UInt64) -> UnsafeMutablePointer<Entry> {
        entries + Int((address >> 1 ^ address >> 15) & UInt64(Self.size - 1))
    }

    mutating func find(
        _ address: UInt64, physical: UInt64, generation: UInt64, _ translator: TranslationEngine
    ) -> OperationReference? {
        let entry = entry(physical)
        guard entry.pointee.address == physical,
            entry.pointee.page == address & ~0xFFF || entry.pointee.page == Self.anyPage
        else { return nil }
        if entry.pointee.generation == generation { return entry.pointee.operation }
        // After a FENCE.I the page is compared once; all entries of it then only look at its epoch.
        guard let owner = entry.pointee.owner,
            owner._withUnsafeGuaranteedRef({ translator.epoch(of: $0, generation: generation) }) == entry.pointee.epoch
        else { return nil }
        entry.pointee.generation = generation
        return entry.pointee.operation
    }

    mutating func insert(
        physical: UInt64, generation: UInt64, _ operation: OperationReference, of owner: TranslatedPage, epoch: Int
    ) {
        entry(physical).pointee = Entry(
            address: physical, page: owner.virtual ?? Self.anyPage, generation: generation, operation: operation,
            owner: Unmanaged.passUnretained(owner), epoch: epoch)
    }

    mutating func removeAll() { memset(entries, 0, Self.size * MemoryLayout<Entry>.stride) }
}
