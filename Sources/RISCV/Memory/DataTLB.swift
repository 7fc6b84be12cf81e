internal import Glibc

/// Translations of loads and stores, found by virtual page number in one step.
///
/// There is a set of entries for each address space that was used lately and each way in which permissions can be judged,
/// so that switching processes, entering the kernel or letting it touch user memory flushes nothing. To flush a set is to
/// give it another generation, a number that is part of its entries' tags.
struct DataTLB: ~Copyable {
    struct Entry {
        /// The virtual page that may be read directly, with the generation in the low bits; 0 for none.
        var readTag: UInt64
        /// The same for writing.
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
    /// Generations are less than this, so that they fit below a page number, and more than 0.
    private static let generationLimit: UInt64 = 1 << 12

    private let entries: UnsafeMutablePointer<Entry>
    /// The first entry of the set in use.
    var current: UnsafeMutablePointer<Entry>
    /// The generation of the set in use.
    var generation: UInt64 = 0
    private var generations = InlineArray<13, UInt64>(repeating: 0)
    private var lastGeneration: UInt64 = 0
    // Superpages are entered page by page. Which halves of the address space have them tells whether an SFENCE.VMA with
    // an address must drop more than that page.
    private var largePages: (low: Bool, high: Bool) = (false, false)

    init() {
        precondition(generations.count == Self.setCount, "every set has a generation")
        // Zeroed memory is empty entries, and costs nothing until it is used.
        guard let memory = calloc(Self.setCount * Self.size, MemoryLayout<Entry>.stride) else {
            fatalError("no memory for a translation cache")
        }
        entries = memory.bindMemory(to: Entry.self, capacity: Self.setCount * Self.size)
        current = entries
        for set in 0..<Self.setCount { renew(set) }
        generation = generations[0]
    }

    deinit { free(entries) }

    @inline(__always)
    func entry(_ address: UInt64) -> UnsafeMutablePointer<Entry> {
        current + Int(address >> 12 & UInt64(Self.size - 1))
    }

    /// The tag that an entry has which answers for `size` bytes at an address, all in one page.
    @inline(__always)
    func tag(_ address: UInt64, size: Int) -> UInt64 {
        // When the last byte lies in the next page, the entry of the first one cannot have its tag.
        (address &+ UInt64(size - 1)) & ~0xFFF | generation
    }

    private static func set(_ space: Int, _ context: Context) -> Int {
        context == .machine ? setCount - 1 : space * 3 + context.rawValue
    }

    /// Uses the set of an address space, as `RecentAddressSpaces` numbers them, and a context.
    mutating func select(_ space: Int, _ context: Context) {
        let set = Self.set(space, context)
        current = entries + set * Self.size
        generation = generations[set]
    }

    /// Forgets what is known of an address space. Call `select` afterwards.
    mutating func forget(_ space: Int) {
        renew(Self.set(space, .user))
        renew(Self.set(space, .supervisor))
        renew(Self.set(space, .supervisorWithUserMemory))
    }

    /// Forgets everything, provided that address spaces other than this one are forgotten before they are used again.
    mutating func forgetAll(now space: Int) {
        forget(space)
        renew(Self.set(space, .machine))
        largePages = (false, false)
    }

    private mutating func renew(_ set: Int) {
        lastGeneration += 1
        if lastGeneration == Self.generationLimit {
            // Numbers begin anew: no entry may be left that has one.
            memset(entries, 0, Self.setCount * Self.size * MemoryLayout<Entry>.stride)
            for index in 0..<Self.setCount { generations[index] = UInt64(index + 1) }
            lastGeneration = UInt64(Self.setCount)
        } else {
            generations[set] = lastGeneration
        }
    }

    /// Drops a page from all sets. False when it is not enough for an SFENCE.VMA, since the page may belong to a larger one.
    mutating func drop(_ address: UInt64) -> Bool {
        if address >> 63 == 0 ? largePages.low : largePages.high { return false }
        let page = Int(address >> 12 & UInt64(Self.size - 1))
        for set in 0..<Self.setCount { entries[set * Self.size + page] = Entry(readTag: 0, writeTag: 0, addend: 0) }
        return true
    }

    mutating func insert(_ address: UInt64, host: UnsafeMutableRawPointer, translation: Translation) {
        let page = address & ~0xFFF
        entry(address).pointee = Entry(
            readTag: translation.readable ? page | generation : 0,
            writeTag: translation.writable ? page | generation : 0,
            addend: UInt64(UInt(bitPattern: host)) &- page)
        if translation.isLarge {
            if address >> 63 == 0 { largePages.low = true } else { largePages.high = true }
        }
    }
}
