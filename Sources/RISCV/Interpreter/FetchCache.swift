internal import Glibc

/// From virtual addresses to decoded blocks, and from virtual pages to physical ones, for instruction fetches.
///
/// There is a set of entries for users of each address space that was used lately, one for the supervisor, and one for
/// M-mode. Kernels are mapped the same in all address spaces; a page of the supervisor's that is not marked so makes its
/// set be forgotten when the address space changes.
///
/// Entries carry their set's tag; forgetting a set means to give it a new one.
struct FetchCache: ~Copyable {
    struct Entry {
        var address: UInt64
        var tag: UInt64
        var operations: OperationReference?
        /// Host address of generated code to go on at: that of the block, or one that leaves for lack of it.
        var code: UInt
    }

    private struct Page {
        var page: UInt64
        var tag: UInt64
        var physical: UInt64
    }

    /// Entries in a set.
    static let size = 16384
    /// An entry's number is made of bits from 1 up of an address, exclusive or the same from this one more up.
    static let hashShift: UInt64 = 11
    private static let pageCount = 1024
    private static let setCount = RecentAddressSpaces.count + 2
    private static let supervisorSet = RecentAddressSpaces.count
    private static let machineSet = RecentAddressSpaces.count + 1
    /// Words of a set's `fetched`.
    private static let fetchedWords = 64

    // Tag 0 is never handed out, so that zeroed memory holds nothing.
    private let entries = zeroedMemory(Entry.self, setCount * size)
    private let pages = zeroedMemory(Page.self, setCount * pageCount)
    /// For each set and each hash of a page number, whether anything was fetched from such a page. What is not in the set's
    /// `ranges` was not fetched either.
    private let fetched = zeroedMemory(UInt64.self, setCount * fetchedWords)
    private var ranges = InlineArray<6, AddressRanges>(repeating: AddressRanges())
    /// As in `DataTLB`.
    private var largePages = InlineArray<6, AddressRanges>(repeating: AddressRanges())
    private var tags = InlineArray<6, UInt64>(repeating: 1)
    private var lastTag: UInt64 = 1
    private var supervisorIsPrivate = false

    private var currentSet = machineSet
    /// The first entry of the set in use, and its tag.
    var current: UnsafeMutablePointer<Entry>
    var tag: UInt64 = 1

    init() {
        precondition(tags.count == Self.setCount, "every set has a tag")
        current = entries + Self.machineSet * Self.size
    }

    deinit {
        free(entries)
        free(pages)
        free(fetched)
    }

    /// Uses the set of an address space, as `RecentAddressSpaces` numbers them, and a privilege mode.
    @inline(__always)
    mutating func select(_ space: Int, _ privilege: PrivilegeMode) {
        switch privilege {
        case .user: currentSet = space
        case .supervisor: currentSet = Self.supervisorSet
        case .machine: currentSet = Self.machineSet
        }
        current = entries + currentSet * Self.size
        tag = tags[unchecked: currentSet]
    }

    /// Forgets what is known of an address space. Call `select` afterwards.
    mutating func forget(_ space: Int) {
        renew(space)
        leaveSpace()
    }

    /// Forgets what only holds in the address space that was used so far. Call `select` afterwards.
    mutating func leaveSpace() {
        if supervisorIsPrivate { renew(Self.supervisorSet) }
    }

    /// Forgets everything. Call `select` afterwards.
    mutating func forgetAll() {
        for set in 0..<Self.setCount { renew(set) }
    }

    private mutating func renew(_ set: Int) {
        lastTag += 1
        tags[set] = lastTag
        ranges[set] = AddressRanges()
        largePages[set] = AddressRanges()
        if set == Self.supervisorSet { supervisorIsPrivate = false }
        (fetched + set * Self.fetchedWords).update(repeating: 0, count: Self.fetchedWords)
    }

    /// Makes sure that nothing is known of a page. Call `select` afterwards.
    mutating func drop(_ address: UInt64) {
        let hash = Self.hash(address)
        for set in 0..<Self.setCount {
            let isMarked = fetched[set * Self.fetchedWords + hash >> 6] >> UInt64(hash & 63) & 1 == 1
            let wasFetched = isMarked && ranges[set].mayContain(address)
            if wasFetched || largePages[set].mayContain(address) { renew(set) }
        }
    }

    /// 0 to 4095 for a page.
    private static func hash(_ address: UInt64) -> Int {
        Int((address >> 12 &* 0x9E37_79B9_7F4A_7C15) >> 52)
    }

    @inline(__always)
    func entry(_ address: UInt64) -> UnsafeMutablePointer<Entry> {
        current + Int((address ^ address >> Self.hashShift) >> 1 & UInt64(Self.size - 1))
    }

    private func pageEntry(_ address: UInt64) -> UnsafeMutablePointer<Page> {
        pages + currentSet * Self.pageCount + Int(address >> 12 & UInt64(Self.pageCount - 1))
    }

    /// The guest-physical page of a virtual address that was executable.
    func page(_ address: UInt64) -> UInt64? {
        let entry = pageEntry(address)
        return entry.pointee.tag == tag && entry.pointee.page == address & ~0xFFF ? entry.pointee.physical : nil
    }

    mutating func insert(_ address: UInt64, _ translation: Translation) {
        pageEntry(address).pointee = Page(page: address & ~0xFFF, tag: tag, physical: translation.page)
        let hash = Self.hash(address)
        fetched[currentSet * Self.fetchedWords + hash >> 6] |= 1 << UInt64(hash & 63)
        ranges[currentSet].insert(address, size: 4096)
        if translation.size > 4096 { largePages[currentSet].insert(address, size: translation.size) }
        if currentSet == Self.supervisorSet, !translation.isGlobal { supervisorIsPrivate = true }
    }
}
