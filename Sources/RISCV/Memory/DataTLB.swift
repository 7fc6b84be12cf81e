internal import Glibc

/// Translations of loads and stores, found by virtual page number in one step.
///
/// There is a set of entries for each address space that was used lately and each way in which permissions can be judged,
/// so that switching processes, entering the kernel or letting it touch user memory flushes nothing.
struct DataTLB: ~Copyable {
    struct Entry {
        /// The virtual page that may be read directly, or one that no look-up leads here.
        var readTag: UInt64
        /// The virtual page that may be written directly, likewise.
        var writeTag: UInt64
        /// What to add to a virtual address to get the host address.
        var addend: UInt64
        /// A size that is a power of two takes generated code one instruction less.
        var unused: UInt64 = 0
    }

    enum Context: Int {
        case user, supervisor, supervisorWithUserMemory, machine
    }

    /// Entries in a set.
    static let size = 2048
    /// One for each address space and context; M-mode has one set for all.
    private static let setCount = RecentAddressSpaces.count * 3 + 1
    /// The most pages of a set that are remembered to be dropped one by one.
    private static let logSize = 256

    private let entries: UnsafeMutablePointer<Entry>
    /// The first entry of the set in use.
    var current: UnsafeMutablePointer<Entry>
    private var currentSet = 0
    /// For each set the positions that were written since it was empty; beyond `logSize` they are only counted.
    private let log: UnsafeMutablePointer<UInt16>
    private var logged = InlineArray<13, Int>(repeating: 0)
    // Superpages are entered page by page. Which halves of the address space have them tells whether an SFENCE.VMA with
    // an address must drop more than that page.
    private var largePages: (low: Bool, high: Bool) = (false, false)

    init() {
        precondition(logged.count == Self.setCount, "every set has a log")
        entries = .allocate(capacity: Self.setCount * Self.size)
        log = .allocate(capacity: Self.setCount * Self.logSize)
        current = entries
        for position in 0..<Self.setCount * Self.size { entries[position] = Self.empty(position) }
    }

    deinit {
        entries.deallocate()
        log.deallocate()
    }

    /// Both tags are a page whose entry is another one.
    private static func empty(_ position: Int) -> Entry {
        let other = UInt64((position ^ 1) & (size - 1)) << 12
        return Entry(readTag: other, writeTag: other, addend: 0)
    }

    @inline(__always)
    func entry(_ address: UInt64) -> UnsafeMutablePointer<Entry> {
        current + Int(address >> 12 & UInt64(Self.size - 1))
    }

    private static func set(_ space: Int, _ context: Context) -> Int {
        context == .machine ? setCount - 1 : space * 3 + context.rawValue
    }

    /// Uses the set of an address space, as `RecentAddressSpaces` numbers them, and a context.
    mutating func select(_ space: Int, _ context: Context) {
        currentSet = Self.set(space, context)
        current = entries + currentSet * Self.size
    }

    /// Forgets what is known of an address space.
    mutating func forget(_ space: Int) {
        clear(Self.set(space, .user))
        clear(Self.set(space, .supervisor))
        clear(Self.set(space, .supervisorWithUserMemory))
    }

    /// Forgets everything.
    mutating func forgetAll() {
        for set in 0..<Self.setCount { clear(set) }
        largePages = (false, false)
    }

    private mutating func clear(_ set: Int) {
        let base = set * Self.size
        if logged[set] <= Self.logSize {
            for index in 0..<logged[set] {
                let position = Int(log[set * Self.logSize + index])
                entries[base + position] = Self.empty(position)
            }
        } else {
            for position in 0..<Self.size { entries[base + position] = Self.empty(position) }
        }
        logged[set] = 0
    }

    /// Drops a page from all sets. False when it is not enough for an SFENCE.VMA, since the page may belong to a larger one.
    mutating func drop(_ address: UInt64) -> Bool {
        if address >> 63 == 0 ? largePages.low : largePages.high { return false }
        let position = Int(address >> 12 & UInt64(Self.size - 1))
        for set in 0..<Self.setCount where logged[set] != 0 {
            entries[set * Self.size + position] = Self.empty(position)
        }
        return true
    }

    mutating func insert(_ address: UInt64, host: UnsafeMutableRawPointer, translation: Translation) {
        let page = address & ~0xFFF
        let position = Int(page >> 12 & UInt64(Self.size - 1))
        let none = Self.empty(position).readTag
        if current[position].readTag == none, current[position].writeTag == none {
            if logged[currentSet] < Self.logSize {
                log[currentSet * Self.logSize + logged[currentSet]] = UInt16(position)
            }
            logged[currentSet] += 1
        }
        current[position] = Entry(
            readTag: translation.readable ? page : none, writeTag: translation.writable ? page : none,
            addend: UInt64(UInt(bitPattern: host)) &- page)
        if translation.isLarge {
            if address >> 63 == 0 { largePages.low = true } else { largePages.high = true }
        }
    }
}

extension DataTLB.Entry {
    /// Whether `size` bytes at an address lie in the page of a tag. Addresses before the page wrap to large numbers.
    @inline(__always)
    static func covers(_ tag: UInt64, _ address: UInt64, size: Int) -> Bool {
        address &- tag <= UInt64(4096 - size)
    }
}
