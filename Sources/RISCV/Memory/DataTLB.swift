internal import Glibc

/// Translations of loads and stores, found by virtual page number in one step.
///
/// There is a set of entries for each address space that was used lately and each way in which permissions can be judged,
/// so that switching processes, entering the kernel or letting it touch user memory flushes nothing. What only the supervisor
/// may touch has one set for all address spaces, since kernels are mapped the same in them; a page there that is not marked
/// so makes the set be forgotten when the address space changes.
///
/// Behind the sets is a second level for all of them, found by a hash, for pages whose numbers have the same low bits. Its
/// tags hold the generation of their set, so that clearing a set leaves nothing valid there.
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

    enum Context {
        case user, supervisor, supervisorWithUserMemory, machine
    }

    /// Entries in a set.
    static let size = 2048
    /// Two for each address space, one for the supervisor, one for M-mode.
    private static let setCount = RecentAddressSpaces.count * 2 + 2
    private static let supervisorSet = RecentAddressSpaces.count * 2
    private static let machineSet = RecentAddressSpaces.count * 2 + 1
    /// The most pages of a set that are remembered to be dropped one by one.
    private static let logSize = 256

    /// Entries of the second level.
    static let secondSize = 4096
    /// Generations are less than this, so that they fit below a page number, and more than 0.
    private static let generationLimit: UInt64 = 1 << 12

    private let entries = zeroedMemory(Entry.self, setCount * size)
    var second = zeroedMemory(Entry.self, secondSize)
    /// The generation of the set in use.
    var generation: UInt64 = 1
    private var generations = InlineArray<10, UInt64>(repeating: 0)
    private var lastGeneration: UInt64 = 0
    /// The first entry of the set in use.
    var current: UnsafeMutablePointer<Entry>
    private var currentSet = machineSet
    /// For each set the positions that were written since it was empty; beyond `logSize` they are only counted.
    private let log = zeroedMemory(UInt16.self, setCount * logSize)
    private var logged = InlineArray<10, Int>(repeating: 0)
    /// Where each set has parts of larger pages, all of which a fence for one address forgets.
    private var largePages = InlineArray<10, AddressRanges>(repeating: AddressRanges())
    private var supervisorIsPrivate = false
    /// Pages of the set in use that generated code used last, as `StateLayout.MemoryLayout.recent` says, and whether there
    /// may be some.
    var recent = InlineArray<32, UInt64>(repeating: noRecentPage)
    var recentUsed: UInt64 = 0

    private static let noRecentPage: UInt64 = 2048

    init() {
        precondition(logged.count == Self.setCount, "every set has a log")
        current = entries + Self.machineSet * Self.size
        for set in 0..<Self.setCount {
            renew(set)
            entries[set * Self.size] = Self.empty(0)
        }
        generation = generations[currentSet]
    }

    deinit {
        free(entries)
        free(second)
        free(log)
    }

    /// Both tags are a page whose entry is another one: the first page, which zeroed memory names, has the first entry.
    private static func empty(_ position: Int) -> Entry {
        let other: UInt64 = position == 0 ? 1 << 12 : 0
        return Entry(readTag: other, writeTag: other, addend: 0)
    }

    /// What the second level holds where it holds nothing.
    private static let none = Entry(readTag: 0, writeTag: 0, addend: 0)

    /// The position of a page in the second level. Neighbours never share one, which generated code relies on.
    private static func hash(_ page: UInt64) -> Int {
        Int((UInt32(truncatingIfNeeded: page >> 12) &* hashFactor) >> 20)
    }

    static let hashFactor: UInt32 = 0x1E37_79B1

    @inline(__always)
    func entry(_ address: UInt64) -> UnsafeMutablePointer<Entry> {
        current + Int(address >> 12 & UInt64(Self.size - 1))
    }

    private static func set(_ space: Int, _ context: Context) -> Int {
        switch context {
        case .user: space
        case .supervisorWithUserMemory: RecentAddressSpaces.count + space
        case .supervisor: supervisorSet
        case .machine: machineSet
        }
    }

    /// Uses the set of an address space, as `RecentAddressSpaces` numbers them, and a context.
    mutating func select(_ space: Int, _ context: Context) {
        currentSet = Self.set(space, context)
        current = entries + currentSet * Self.size
        generation = generations[currentSet]
        forgetRecent()
    }

    private mutating func forgetRecent() {
        guard recentUsed != 0 else { return }
        recentUsed = 0
        for index in recent.indices where index & 1 == 0 { recent[index] = Self.noRecentPage }
    }

    /// Forgets what is known of an address space. Call `select` afterwards.
    mutating func forget(_ space: Int) {
        clear(Self.set(space, .user))
        clear(Self.set(space, .supervisorWithUserMemory))
        leaveSpace()
    }

    /// Forgets what only holds in the address space that was used so far. Call `select` afterwards.
    mutating func leaveSpace() {
        if supervisorIsPrivate { clear(Self.supervisorSet) }
    }

    /// Forgets everything. Call `select` afterwards.
    mutating func forgetAll() {
        for set in 0..<Self.setCount { clear(set) }
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
        largePages[set] = AddressRanges()
        if set == Self.supervisorSet { supervisorIsPrivate = false }
        renew(set)
    }

    private mutating func renew(_ set: Int) {
        lastGeneration += 1
        if lastGeneration == Self.generationLimit {
            // Numbers begin anew: no entry may be left that has one.
            second.update(repeating: Self.none, count: Self.secondSize)
            for index in 0..<Self.setCount { generations[index] = UInt64(index + 1) }
            lastGeneration = UInt64(Self.setCount)
        } else {
            generations[set] = lastGeneration
        }
    }

    /// Makes sure that nothing is known of a page. Call `select` afterwards.
    mutating func drop(_ address: UInt64) {
        let position = Int(address >> 12 & UInt64(Self.size - 1))
        for set in 0..<Self.setCount where logged[set] != 0 {
            if largePages[set].mayContain(address) {
                clear(set)
            } else {
                entries[set * Self.size + position] = Self.empty(position)
            }
        }
        // Whichever set it belongs to.
        second[Self.hash(address)] = Self.none
    }

    /// Lets no more stores through to a page of memory.
    ///
    /// - Parameter virtual: the low bits of the number of the only virtual page by which they may go; nil if there are more.
    mutating func forbidWriting(_ host: UnsafeMutableRawPointer, virtual: UInt32?) {
        let host = UInt64(UInt(bitPattern: host))
        forgetRecent()
        if let virtual {
            let position = Int(virtual) & (Self.size - 1)
            for set in 0..<Self.setCount {
                Self.forbid(entries + set * Self.size + position, host, Self.empty(position))
            }
            Self.forbid(second + Self.hash(UInt64(virtual) << 12), host, Self.none)
        } else {
            for position in 0..<Self.setCount * Self.size {
                Self.forbid(entries + position, host, Self.empty(position & (Self.size - 1)))
            }
            for position in 0..<Self.secondSize { Self.forbid(second + position, host, Self.none) }
        }
    }

    private static func forbid(_ entry: UnsafeMutablePointer<Entry>, _ host: UInt64, _ empty: Entry) {
        if (entry.pointee.addend &+ entry.pointee.writeTag) & ~0xFFF == host { entry.pointee.writeTag = empty.writeTag }
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
        second[Self.hash(page)] = Entry(
            readTag: translation.readable ? page | generation : 0,
            writeTag: translation.writable ? page | generation : 0, addend: current[position].addend)
        if translation.size > 4096 { largePages[currentSet].insert(address, size: translation.size) }
        if currentSet == Self.supervisorSet, !translation.isGlobal { supervisorIsPrivate = true }
    }
}

extension DataTLB.Entry {
    /// Whether `size` bytes at an address lie in the page of a tag. Addresses before the page wrap to large numbers.
    @inline(__always)
    static func covers(_ tag: UInt64, _ address: UInt64, size: Int) -> Bool {
        address &- tag <= UInt64(4096 - size)
    }
}
