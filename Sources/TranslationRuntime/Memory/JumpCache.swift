internal import Glibc
internal import HostSystem

/// From virtual addresses to code, decoded or generated, and from virtual pages to physical ones, for instruction fetches.
///
/// There are several sets of entries, as in `SoftwareTLB`. Entries carry their set's tag; forgetting a set means to give it a
/// new one.
public struct JumpCache: ~Copyable {
    /// Generated code reads it, by `StateLayout.JumpLayout`.
    public struct Entry: BitwiseCopyable {
        /// The virtual address of the code.
        public var address: UInt64
        /// The tag of the entry's set when it was written.
        public var tag: UInt64
        /// The front end's own block, or a `CodeEntry`. Not for generated code.
        public var operations: UnsafeRawPointer?
        /// Host address of the block's generated code, or of code that leaves for lack of it.
        public var code: UInt

        /// An entry for the code at `address`, in the set whose tag is `tag`.
        @inlinable
        public init(address: UInt64, tag: UInt64, operations: UnsafeRawPointer?, code: UInt) {
            self.address = address
            self.tag = tag
            self.operations = operations
            self.code = code
        }
    }

    /// Generated code reads it, by `StateLayout.JumpLayout`.
    @usableFromInline struct Page: BitwiseCopyable {
        @usableFromInline var page: UInt64
        @usableFromInline var tag: UInt64
        @usableFromInline var physical: UInt64
        /// A size that is a power of two takes generated code one instruction less.
        var unused: UInt64 = 0
    }

    /// Entries in a set.
    @inlinable public static var size: Int { 4096 }
    /// An entry's number is made of bits from 1 up of an address, exclusive or the same from this one more up.
    @inlinable public static var hashShift: UInt64 { 11 }
    /// Pages in a set.
    @inlinable static var pageCount: Int { 1024 }
    /// The most sets.
    package static let setLimit = 16
    private let setCount: Int
    /// Words of a set's `fetched`.
    private static let fetchedWords = 64

    /// Where the functions that run return to, as generated code notes it.
    var returns: ReturnStack

    // Tag 0 is never handed out, so that zeroed memory holds nothing.
    private let entries: UnsafeMutablePointer<Entry>
    private let pages: UnsafeMutablePointer<Page>
    /// For each set and each hash of a page number, whether anything was fetched from such a page. What is not in the set's
    /// `ranges` was not fetched either.
    private let fetched: UnsafeMutablePointer<UInt64>
    private var ranges = InlineArray<16, AddressRanges>(repeating: AddressRanges())
    /// As in `SoftwareTLB`.
    private var largePages = InlineArray<16, AddressRanges>(repeating: AddressRanges())
    private var tags = InlineArray<16, UInt64>(repeating: 1)
    private var lastTag: UInt64 = 1
    /// As in `SoftwareTLB`.
    private var privateSets: UInt64 = 0

    private var currentSet = 0
    /// The first entry of the set in use, and its first page.
    public internal(set) var current: UnsafeMutablePointer<Entry>
    /// The tag of the set in use.
    public internal(set) var tag: UInt64 = 1
    @usableFromInline var currentPages: UnsafeMutablePointer<Page>

    /// - Parameter setCount: how many sets there are, from 1 to `setLimit`. The first one is in use.
    package init(setCount: Int) {
        precondition(1...Self.setLimit ~= setCount, "a set has a place for its tag")
        self.setCount = setCount
        entries = zeroedMemory(Entry.self, setCount * Self.size)
        pages = zeroedMemory(Page.self, setCount * Self.pageCount)
        fetched = zeroedMemory(UInt64.self, setCount * Self.fetchedWords)
        current = entries
        currentPages = pages
        returns = ReturnStack(setCount: setCount)
    }

    deinit {
        free(entries)
        free(pages)
        free(fetched)
    }

    /// Uses a set.
    package mutating func select(_ set: Int) {
        precondition(set < setCount, "there is such a set")
        currentSet = set
        current = entries + set * Self.size
        currentPages = pages + set * Self.pageCount
        tag = tags[set]
        returns.select(set)
    }

    /// Forgets a set if not all of its pages are the same in all address spaces. Call `select` afterwards.
    package mutating func clearIfPrivate(_ set: Int) {
        if privateSets >> UInt64(set) & 1 == 1 { clear(set) }
    }

    /// Forgets everything. Call `select` afterwards.
    package mutating func clearAll() {
        for set in 0..<setCount { clear(set) }
    }

    /// Forgets a set. Call `select` afterwards. Generated code that runs by the set in use must not go on without a fetch of its page, by
    /// which `drop` knows what the return stack may hold.
    package mutating func clear(_ set: Int) {
        lastTag += 1
        tags[set] = lastTag
        returns.clear(set)
        ranges[set] = AddressRanges()
        largePages[set] = AddressRanges()
        privateSets &= ~(1 << UInt64(set))
        (fetched + set * Self.fetchedWords).update(repeating: 0, count: Self.fetchedWords)
    }

    /// Forgets everything, and gives the memory back. Call `select` afterwards.
    package mutating func trim() {
        clearAll()
        clearMemory(entries, setCount * Self.size)
        clearMemory(pages, setCount * Self.pageCount)
        clearMemory(fetched, setCount * Self.fetchedWords)
    }

    /// Makes sure that nothing is known of a page. Call `select` afterwards.
    package mutating func drop(_ address: UInt64) {
        let hash = Self.hash(address)
        for set in 0..<setCount {
            let isMarked = fetched[set * Self.fetchedWords + hash >> 6] >> UInt64(hash & 63) & 1 == 1
            let wasFetched = isMarked && ranges[set].mayContain(address)
            if wasFetched || largePages[set].mayContain(address) { clear(set) }
        }
    }

    /// 0 to 4095 for a page.
    private static func hash(_ address: UInt64) -> Int {
        Int((address >> 12 &* 0x9E37_79B9_7F4A_7C15) >> 52)
    }

    /// The place of an address in the set in use.
    @inlinable @inline(__always)
    public func entry(_ address: UInt64) -> UnsafeMutablePointer<Entry> {
        current + Int((address ^ address >> Self.hashShift) >> 1 & UInt64(Self.size - 1))
    }

    @inlinable @inline(__always)
    func pageEntry(_ address: UInt64) -> UnsafeMutablePointer<Page> {
        currentPages + Int(address >> 12 & UInt64(Self.pageCount - 1))
    }

    /// The guest-physical page of a virtual address that was executable.
    @inlinable
    public func page(_ address: UInt64) -> UInt64? {
        let entry = pageEntry(address)
        return entry.pointee.tag == tag && entry.pointee.page == address & ~0xFFF ? entry.pointee.physical : nil
    }

    /// Enters the executable page that an address is in into the set in use.
    ///
    /// - Parameters:
    ///   - physical: the guest-physical page.
    ///   - size: bytes of the larger page that it is a part of, or its own 4096.
    ///   - isGlobal: the same in all address spaces.
    package mutating func insert(_ address: UInt64, physical: UInt64, size: UInt64, isGlobal: Bool) {
        pageEntry(address).pointee = Page(page: address & ~0xFFF, tag: tag, physical: physical)
        let hash = Self.hash(address)
        fetched[currentSet * Self.fetchedWords + hash >> 6] |= 1 << UInt64(hash & 63)
        ranges[currentSet].insert(address, size: 4096)
        if size > 4096 { largePages[currentSet].insert(address, size: size) }
        if !isGlobal { privateSets |= 1 << UInt64(currentSet) }
    }
}
