/// From virtual addresses to decoded blocks, and from virtual pages to physical ones, for instruction fetches.
///
/// Entries carry a tag that stands for a privilege mode and everything that translation depends on; forgetting them means
/// to hand out new tags.
struct FetchCache: ~Copyable {
    struct Entry {
        var address: UInt64
        var tag: UInt64
        var operations: OperationReference
        /// Host address of generated code to go on at: that of the block, or one that leaves for lack of it.
        var code: UInt
    }

    struct Page {
        var page: UInt64
        var tag: UInt64
        var physical: UInt64
    }

    static let size = 4096
    private static let pageCount = 256
    /// A tag for each address space and privilege mode.
    private static let tagCount = RecentAddressSpaces.count * 4

    let entries: UnsafeMutablePointer<Entry>
    private let pages: UnsafeMutablePointer<Page>
    /// The tag in use.
    var tag: UInt64 = 1
    private var tags = InlineArray<16, UInt64>(repeating: 1)
    private var lastTag: UInt64 = 1
    /// For each hash of a page number, whether anything was fetched from such a page since everything was forgotten.
    private var fetched = InlineArray<64, UInt64>(repeating: 0)
    // As in `DataTLB`.
    private var largePages: (low: Bool, high: Bool) = (false, false)

    init() {
        precondition(tags.count == Self.tagCount, "every address space has its tags")
        entries = .allocate(capacity: Self.size)
        // Tag 0 is never handed out. The address is that of no operation, and never followed.
        entries.initialize(
            repeating: Entry(address: 0, tag: 0, operations: UnsafeRawPointer(entries), code: 0), count: Self.size)
        pages = .allocate(capacity: Self.pageCount)
        pages.initialize(repeating: Page(page: 0, tag: 0, physical: 0), count: Self.pageCount)
        forgetAll()
        tag = tags[3]
    }

    deinit {
        entries.deallocate()
        pages.deallocate()
    }

    /// Uses the tag of an address space, as `RecentAddressSpaces` numbers them, and a privilege mode.
    @inline(__always)
    mutating func select(_ space: Int, _ privilege: PrivilegeMode) {
        tag = tags[unchecked: space * 4 + Int(privilege.rawValue)]
    }

    /// Forgets what is known of an address space. Call `select` afterwards.
    mutating func forget(_ space: Int) {
        for index in space * 4..<space * 4 + 4 {
            lastTag += 1
            tags[index] = lastTag
        }
    }

    /// Forgets everything. Call `select` afterwards.
    mutating func forgetAll() {
        for space in 0..<RecentAddressSpaces.count { forget(space) }
        fetched = InlineArray(repeating: 0)
        largePages = (false, false)
    }

    /// Makes sure that nothing is known of a page. False when only forgetting everything can do that.
    func drop(_ address: UInt64) -> Bool {
        if address >> 63 == 0 ? largePages.low : largePages.high { return false }
        let hash = Self.hash(address)
        return fetched[hash >> 6] >> UInt64(hash & 63) & 1 == 0
    }

    /// 0 to 4095 for a page.
    private static func hash(_ address: UInt64) -> Int {
        Int((address >> 12 &* 0x9E37_79B9_7F4A_7C15) >> 52)
    }

    @inline(__always)
    func entry(_ address: UInt64) -> UnsafeMutablePointer<Entry> {
        entries + Int(address >> 1 & UInt64(Self.size - 1))
    }

    /// The guest-physical page of a virtual address that was executable.
    func page(_ address: UInt64) -> UInt64? {
        let entry = pages + Int(address >> 12 & UInt64(Self.pageCount - 1))
        return entry.pointee.tag == tag && entry.pointee.page == address & ~0xFFF ? entry.pointee.physical : nil
    }

    mutating func insert(_ address: UInt64, physical: UInt64, isLarge: Bool) {
        pages[Int(address >> 12 & UInt64(Self.pageCount - 1))] = Page(
            page: address & ~0xFFF, tag: tag, physical: physical)
        let hash = Self.hash(address)
        fetched[hash >> 6] |= 1 << UInt64(hash & 63)
        if isLarge {
            if address >> 63 == 0 { largePages.low = true } else { largePages.high = true }
        }
    }
}
