internal import Glibc
internal import HostSystem

/// A processor's lookup cache: answers of `TranslationEngine.find`, by guest-physical address. It is the second level of the jump cache,
/// and generated code reads it for addresses that the jump cache does not hold.
package struct LookupCache: ~Copyable {
    /// Generated code reads it, by `StateLayout.JumpLayout`.
    struct Entry: BitwiseCopyable {
        /// Guest-physical.
        var address: UInt64
        /// The virtual page that the code is for, or `anyPage`.
        var page: UInt64
        /// The `TranslationState.generation` in which the code agreed with guest memory; 0 in entries that hold nothing.
        var generation: UInt64
        var code: CodeEntry?
    }

    /// What else is known of the code of an entry.
    private struct Origin: BitwiseCopyable {
        /// Owned by the engine, which lets no page go before this was told to forget all.
        var owner: Unmanaged<TranslatedPage>?
        /// The page's `epoch` when it had this code.
        var epoch: Int
    }

    static let size = 1 << 14
    /// An entry's number is made of bits from `lowBit` up of an address, exclusive or the same from `hashShift` more up.
    static let lowBit: UInt64 = 2
    static let hashShift: UInt64 = 13
    /// No page begins here.
    static let anyPage: UInt64 = 1

    // Zeroed memory is entries that hold nothing.
    var entries = zeroedMemory(Entry.self, size)
    private let origins = zeroedMemory(Origin.self, size)

    deinit {
        free(entries)
        free(origins)
    }

    private func position(_ address: UInt64) -> Int {
        Int((address ^ address >> Self.hashShift) >> Self.lowBit & UInt64(Self.size - 1))
    }

    mutating func find(
        _ address: UInt64, physical: UInt64, generation: UInt64, _ engine: TranslationEngine
    ) -> CodeEntry? {
        let position = position(physical)
        let entry = entries + position
        guard entry.pointee.address == physical,
            entry.pointee.page == address & ~0xFFF || entry.pointee.page == Self.anyPage
        else { return nil }
        if entry.pointee.generation == generation { return entry.pointee.code }
        // In a new generation the page is compared once; all entries of it then only look at its epoch.
        let origin = origins[position]
        guard let owner = origin.owner,
            owner._withUnsafeGuaranteedRef({ engine.epoch(of: $0, generation: generation) }) == origin.epoch
        else { return nil }
        entry.pointee.generation = generation
        return entry.pointee.code
    }

    mutating func insert(
        physical: UInt64, generation: UInt64, _ code: CodeEntry, of owner: TranslatedPage, epoch: Int
    ) {
        let position = position(physical)
        entries[position] = Entry(
            address: physical, page: owner.virtual ?? Self.anyPage, generation: generation, code: code)
        origins[position] = Origin(owner: Unmanaged.passUnretained(owner), epoch: epoch)
    }

    /// Has memory for all entries.
    package func allocateMemory() {
        HostSystem.allocateMemory(entries, Self.size)
        HostSystem.allocateMemory(origins, Self.size)
    }

    /// Forgets everything, and gives the memory back.
    mutating func trim() {
        clearMemory(entries, Self.size)
        clearMemory(origins, Self.size)
    }

    mutating func removeAll() {
        memset(entries, 0, Self.size * MemoryLayout<Entry>.stride)
        memset(origins, 0, Self.size * MemoryLayout<Origin>.stride)
    }
}
