/// From virtual addresses to decoded blocks, and from virtual pages to physical ones, for instruction fetches.
///
/// Entries carry a tag that stands for a privilege mode and everything that translation depends on; forgetting them means
/// to hand out new tags.
struct FetchCache: ~Copyable {
    struct Entry {
        var address: UInt64
        var tag: UInt64
        var operations: OperationReference
    }

    struct Page {
        var page: UInt64
        var tag: UInt64
        var physical: UInt64
    }

    private static let size = 4096
    private static let pageCount = 256

    private let entries: UnsafeMutablePointer<Entry>
    private let pages: UnsafeMutablePointer<Page>
    /// The tag of the present privilege mode.
    private(set) var tag: UInt64 = 1
    private var tags = InlineArray<4, UInt64>(repeating: 1)
    private var lastTag: UInt64 = 1

    init() {
        entries = .allocate(capacity: Self.size)
        // Tag 0 is never handed out. The address is that of no operation, and never followed.
        entries.initialize(
            repeating: Entry(address: 0, tag: 0, operations: UnsafeRawPointer(entries)), count: Self.size)
        pages = .allocate(capacity: Self.pageCount)
        pages.initialize(repeating: Page(page: 0, tag: 0, physical: 0), count: Self.pageCount)
        flush()
        tag = tags[3]
    }

    deinit {
        entries.deallocate()
        pages.deallocate()
    }

    /// Takes the tag of a privilege mode.
    @inline(__always)
    mutating func select(_ privilege: PrivilegeMode) { tag = tags[unchecked: Int(privilege.rawValue)] }

    /// Forgets everything. Call `select` afterwards.
    mutating func flush() {
        for index in 0..<4 {
            lastTag += 1
            tags[index] = lastTag
        }
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

    func insert(_ address: UInt64, physical: UInt64) {
        pages[Int(address >> 12 & UInt64(Self.pageCount - 1))] = Page(
            page: address & ~0xFFF, tag: tag, physical: physical)
    }
}
