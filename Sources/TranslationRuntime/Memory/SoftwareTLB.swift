internal import Glibc
internal import HostSystem

/// Translations of loads and stores, found by virtual page number in one step.
///
/// There are several sets of entries, one for each way in which addresses can be translated and permissions judged, so that a guest
/// that goes from one to the other flushes nothing. The guest's processor numbers them, for example by the address space and the
/// privilege mode. A set can be one for several address spaces, as the kernel's pages are the same in all; a page that is not
/// marked so makes the set *private*, and `clearIfPrivate` forgets it when the address space changes.
///
/// Behind the sets is a second level for all of them, found by a hash, for pages whose numbers have the same low bits. Its
/// tags hold the generation of their set, so that clearing a set leaves nothing valid there.
public struct SoftwareTLB: ~Copyable {
    /// Generated code reads it, by `StateLayout.TLBLayout`.
    public struct Entry: BitwiseCopyable, Sendable {
        /// The virtual page that may be read directly, or one that no look-up leads here.
        public var readTag: UInt64
        /// The virtual page that may be written directly, likewise.
        public var writeTag: UInt64
        /// The host address less the virtual one.
        public var addend: UInt64
        /// A size that is a power of two takes generated code one instruction less.
        var unused: UInt64 = 0

        /// Whether `size` bytes at an address lie in the page of a tag. Addresses before the page wrap to large numbers.
        @inlinable @inline(__always)
        public static func covers(_ tag: UInt64, _ address: UInt64, size: Int) -> Bool {
            address &- tag <= UInt64(4096 - size)
        }
    }

    /// A translation to be entered.
    package struct Page {
        let isReadable: Bool
        let isWritable: Bool
        /// Bytes of the larger page that it is a part of, or its own 4096.
        let size: UInt64
        /// The same in all address spaces.
        let isGlobal: Bool

        package init(isReadable: Bool, isWritable: Bool, size: UInt64, isGlobal: Bool) {
            self.isReadable = isReadable
            self.isWritable = isWritable
            self.size = size
            self.isGlobal = isGlobal
        }
    }

    /// Entries in a set.
    @inlinable public static var size: Int { 8192 }
    /// The most sets.
    package static let setLimit = 24
    private let setCount: Int
    /// The most pages of a set that are remembered to be dropped one by one.
    private static let logSize = 1024

    /// Entries of the second level.
    package static let secondSize = 4096
    /// Generations are less than this, so that they fit below a page number, and more than 0.
    private static let generationLimit: UInt64 = 1 << 12

    private let entries: UnsafeMutablePointer<Entry>
    var second = zeroedMemory(Entry.self, secondSize)
    /// The generation of the set in use.
    var generation: UInt64 = 1
    private var generations = InlineArray<24, UInt64>(repeating: 0)
    private var lastGeneration: UInt64 = 0
    /// The first entry of the set in use.
    public internal(set) var current: UnsafeMutablePointer<Entry>
    private var currentSet = 0
    /// For each set the positions that were written since it was empty; beyond `logSize` they are only counted.
    private let log: UnsafeMutablePointer<UInt16>
    private var logged = InlineArray<24, Int>(repeating: 0)
    /// Where each set has parts of larger pages, all of which a fence for one address forgets.
    private var largePages = InlineArray<24, AddressRanges>(repeating: AddressRanges())
    /// For each set a bit: some of its pages are not the same in all address spaces.
    private var privateSets: UInt64 = 0
    /// Pages of the set in use that generated code used last, as `StateLayout.TLBLayout.recent` says, and whether there
    /// may be some.
    var recent = InlineArray<32, UInt64>(repeating: noRecentPage)
    var recentUsed: UInt64 = 0

    private static let noRecentPage: UInt64 = 2048

    /// - Parameter setCount: how many sets there are, from 1 to `setLimit`. The first one is in use.
    package init(setCount: Int) {
        precondition(1...Self.setLimit ~= setCount, "a set has a place for its generation")
        self.setCount = setCount
        entries = zeroedMemory(Entry.self, setCount * Self.size)
        log = zeroedMemory(UInt16.self, setCount * Self.logSize)
        current = entries
        for set in 0..<setCount {
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

    /// An empty entry of the second level.
    private static let none = Entry(readTag: 0, writeTag: 0, addend: 0)

    /// The position of a page in the second level. Neighbours never share one, which generated code relies on.
    private static func hash(_ page: UInt64) -> Int {
        Int((UInt32(truncatingIfNeeded: page >> 12) &* hashFactor) >> 20)
    }

    static let hashFactor: UInt32 = 0x1E37_79B1

    /// The place of an address's page in the set in use.
    @inlinable @inline(__always)
    public func entry(_ address: UInt64) -> UnsafeMutablePointer<Entry> {
        current + Int(address >> 12 & UInt64(Self.size - 1))
    }

    /// Uses a set.
    package mutating func select(_ set: Int) {
        precondition(set < setCount, "there is such a set")
        currentSet = set
        current = entries + set * Self.size
        generation = generations[set]
        forgetRecent()
    }

    private mutating func forgetRecent() {
        guard recentUsed != 0 else { return }
        recentUsed = 0
        for index in recent.indices where index & 1 == 0 { recent[index] = Self.noRecentPage }
    }

    /// Forgets a set if not all of its pages are the same in all address spaces. Call `select` afterwards.
    package mutating func clearIfPrivate(_ set: Int) {
        if privateSets >> UInt64(set) & 1 == 1 { clear(set) }
    }

    /// Forgets everything. Call `select` afterwards.
    package mutating func clearAll() {
        for set in 0..<setCount { clear(set) }
    }

    /// Forgets a set. Call `select` afterwards.
    package mutating func clear(_ set: Int) {
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
        privateSets &= ~(1 << UInt64(set))
        renew(set)
    }

    /// Forgets everything, and gives the memory back. Call `select` afterwards.
    package mutating func trim() {
        clearAll()
        clearMemory(entries, setCount * Self.size)
        clearMemory(second, Self.secondSize)
        clearMemory(log, setCount * Self.logSize)
        // As a clear set has it; zeroes are empty entries at all other positions.
        for set in 0..<setCount { entries[set * Self.size] = Self.empty(0) }
    }

    private mutating func renew(_ set: Int) {
        lastGeneration += 1
        if lastGeneration == Self.generationLimit {
            // Numbers begin anew: no entry may be left that has one.
            second.update(repeating: Self.none, count: Self.secondSize)
            for index in 0..<setCount { generations[index] = UInt64(index + 1) }
            lastGeneration = UInt64(setCount)
        } else {
            generations[set] = lastGeneration
        }
    }

    /// Makes sure that nothing is known of a page. Call `select` afterwards.
    package mutating func drop(_ address: UInt64) {
        let position = Int(address >> 12 & UInt64(Self.size - 1))
        for set in 0..<setCount where logged[set] != 0 {
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
    package mutating func forbidWriting(_ host: UnsafeMutableRawPointer, virtual: UInt32?) {
        let host = UInt64(UInt(bitPattern: host))
        forgetRecent()
        if let virtual {
            let position = Int(virtual) & (Self.size - 1)
            // A set that is empty is not even looked at.
            for set in 0..<setCount where logged[set] != 0 {
                Self.forbid(entries + set * Self.size + position, host, Self.empty(position))
            }
            Self.forbid(second + Self.hash(UInt64(virtual) << 12), host, Self.none)
        } else {
            for set in 0..<setCount where logged[set] != 0 {
                for position in 0..<Self.size {
                    Self.forbid(entries + set * Self.size + position, host, Self.empty(position))
                }
            }
            for position in 0..<Self.secondSize { Self.forbid(second + position, host, Self.none) }
        }
    }

    private static func forbid(_ entry: UnsafeMutablePointer<Entry>, _ host: UInt64, _ empty: Entry) {
        if (entry.pointee.addend &+ entry.pointee.writeTag) & ~0xFFF == host { entry.pointee.writeTag = empty.writeTag }
    }

    /// Enters the page that an address is in into the set in use.
    ///
    /// - Parameter host: where the page's memory is.
    package mutating func insert(_ address: UInt64, host: UnsafeMutableRawPointer, _ translation: Page) {
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
            readTag: translation.isReadable ? page : none, writeTag: translation.isWritable ? page : none,
            addend: UInt64(UInt(bitPattern: host)) &- page)
        second[Self.hash(page)] = Entry(
            readTag: translation.isReadable ? page | generation : 0,
            writeTag: translation.isWritable ? page | generation : 0, addend: current[position].addend)
        if translation.size > 4096 { largePages[currentSet].insert(address, size: translation.size) }
        if !translation.isGlobal { privateSets |= 1 << UInt64(currentSet) }
    }
}
