/// Translations of loads and stores, found by virtual page number in one step.
///
/// There is a set of entries for each way in which permissions can be judged, so that entering the kernel or letting it
/// touch user memory flushes nothing.
struct DataTLB: ~Copyable {
    struct Entry {
        /// The virtual page (low 12 bits 0) that may be read directly, or `invalid`.
        var readTag: UInt64
        /// The virtual page that may be written directly, or `invalid`.
        var writeTag: UInt64
        /// What to add to a virtual address to get the host address.
        var addend: UInt64
    }

    enum Context: Int {
        case user, supervisor, supervisorWithUserMemory, machine
        static let count = 4
    }

    /// Entries in a set.
    static let size = 256
    /// Matches no address: the masked address of a direct access has this bit clear.
    static let invalid: UInt64 = 1 << 11

    private let entries: UnsafeMutablePointer<Entry>
    /// The first entry of the set in use.
    private(set) var current: UnsafeMutablePointer<Entry>
    // Superpages are entered page by page. Which halves of the address space have them tells whether an SFENCE.VMA with
    // an address must drop more than that page.
    private var largePages: (low: Bool, high: Bool) = (false, false)

    init() {
        entries = .allocate(capacity: Self.size * Context.count)
        current = entries
        entries.initialize(repeating: Self.empty, count: Self.size * Context.count)
    }

    deinit { entries.deallocate() }

    private static let empty = Entry(readTag: invalid, writeTag: invalid, addend: 0)

    @inline(__always)
    func entry(_ address: UInt64) -> UnsafeMutablePointer<Entry> {
        current + Int(address >> 12 & UInt64(Self.size - 1))
    }

    mutating func select(_ context: Context) {
        current = entries + context.rawValue * Self.size
    }

    mutating func flush() {
        entries.update(repeating: Self.empty, count: Self.size * Context.count)
        largePages = (false, false)
    }

    /// Drops what an SFENCE.VMA for `address` must drop.
    mutating func flush(_ address: UInt64) {
        if address >> 63 == 0 ? largePages.low : largePages.high { return flush() }
        let page = Int(address >> 12 & UInt64(Self.size - 1))
        for context in 0..<Context.count { entries[context * Self.size + page] = Self.empty }
    }

    mutating func insert(_ address: UInt64, host: UnsafeMutableRawPointer, translation: Translation) {
        let page = address & ~0xFFF
        entry(address).pointee = Entry(
            readTag: translation.readable ? page : Self.invalid, writeTag: translation.writable ? page : Self.invalid,
            addend: UInt64(UInt(bitPattern: host)) &- page)
        if translation.isLarge {
            if address >> 63 == 0 { largePages.low = true } else { largePages.high = true }
        }
    }
}
