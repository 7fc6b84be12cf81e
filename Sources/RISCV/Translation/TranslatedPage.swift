internal import Glibc
internal import GuestMemory
internal import Translator

/// The translations of one page of guest code, as one virtual page shows it, or any.
///
/// Blocks of a page are linked to each other without any check, so they live and die together: when one of them no longer
/// agrees with guest memory, all are forgotten.
///
/// Its translator's lock guards it.
final class TranslatedPage {
    /// The guest-virtual page that its code is for; nil for relative code, which may run in any.
    let virtual: UInt64?
    /// What the addresses of its blocks count from.
    var base: UInt64 { virtual ?? 0 }
    var isRelative: Bool { virtual == nil }
    /// The guest-physical page.
    let physical: UInt64
    /// Where the guest's code lies.
    private let source: UnsafeRawPointer
    /// The generation of the translator's when source and copy were last compared.
    private var verified: UInt64
    /// Its version in `watch` at that time.
    private var verifiedVersion: UInt32 = 0
    private let watch: (pages: PageWatch, number: Int)?
    /// Room for a page, which all pages of a translator share: what `startDecoding` has copied last.
    private let scratch: UnsafeMutableRawPointer
    /// What its blocks were translated from: all ranges, one after the other.
    private var code: [UInt8] = []
    /// How often all blocks were forgotten.
    private(set) var epoch = 0
    private var ranges: [(offset: Int, count: Int)] = []

    struct Entry {
        /// For the interpreter's loop and the jump cache.
        let operation: OperationReference
        /// Where code of the same page goes on, as a position in the code cache.
        let position: Int
    }

    /// The entry of each block that has code, by its first instruction's offset.
    private(set) var entries: [Int: Entry] = [:]
    /// Jumps that wait for a block, as positions in the code cache.
    private var waiting: [Int: [Int]] = [:]
    /// How often the budget has ended before a block outside of regions.
    private(set) var samples: [Int: Int] = [:]
    /// Blocks that have been made the start of a region, or a part of one.
    private(set) var regional: Set<Int> = []

    static let size = 4096

    /// - Parameters:
    ///   - scratch: room for a page, for as long as this object lives.
    ///   - memory: where the page is watched while code is fetched from it, if it is.
    init(
        virtual: UInt64?, physical: UInt64, source: UnsafeRawPointer, generation: UInt64,
        scratch: UnsafeMutableRawPointer,
        watchedIn memory: GuestMemory?
    ) {
        self.virtual = virtual
        self.physical = physical
        self.source = source
        watch = memory.map { ($0.watch, (source - UnsafeRawPointer($0.hostBase)) >> 12) }
        verified = generation
        self.scratch = scratch
    }

    /// Compares with guest memory unless that was done in a generation or later, and forgets all blocks when it has changed.
    ///
    /// - Parameter present: a generation that has begun.
    func verify(_ generation: UInt64, present: UInt64) {
        if verified < generation {
            let version = watch.map { $0.pages.version(of: $0.number) } ?? 0
            // A page that has been watched all the time is what it was.
            if version & 1 == 0 || version != verifiedVersion { compare() }
            verified = present
            verifiedVersion = version
        }
    }

    private func compare() {
        if isUnchanged { return }
        removeBlocks()
        samples.removeAll()
        regional.removeAll()
    }

    private func removeBlocks() {
        epoch += 1
        entries.removeAll()
        waiting.removeAll()
        ranges.removeAll()
        code.removeAll()
    }

    /// Forgets all blocks, but not which of them were the start of regions: the next sample of one makes it a region again.
    /// False when there were none.
    func removeCode(regionThreshold: Int) -> Bool {
        removeBlocks()
        let hot = samples.keys.filter { regional.contains($0) && samples[$0] ?? 0 >= regionThreshold }
        samples = Dictionary(uniqueKeysWithValues: hot.map { ($0, regionThreshold - 1) })
        regional.removeAll()
        return !hot.isEmpty
    }

    private var isUnchanged: Bool {
        code.withUnsafeBytes { bytes in
            guard var known = bytes.baseAddress else { return true }
            for range in ranges {
                if memcmp(source + range.offset, known, range.count) != 0 { return false }
                known += range.count
            }
            return true
        }
    }

    /// Takes a private copy of the page to decode from, since the guest may write while we read. It is there until any page's
    /// is taken.
    func startDecoding() -> UnsafeRawPointer {
        compare()
        scratch.copyMemory(from: source, byteCount: Self.size)
        return UnsafeRawPointer(scratch)
    }

    /// The instruction at an offset of a copy of the page; nil when it does not lie in the page as a whole.
    func instruction(at offset: Int, in bytes: UnsafeRawPointer) -> UInt32? {
        guard offset + 2 <= Self.size else { return nil }
        let low = UInt32(bytes.load(fromByteOffset: offset, as: UInt16.self))
        guard low & 3 == 3 else { return low }
        guard offset + 4 <= Self.size else { return nil }
        return UInt32(bytes.load(fromByteOffset: offset + 2, as: UInt16.self)) << 16 | low
    }

    /// `count` instructions of what was decoded last, with their addresses in the terms of blocks.
    func instructions(from address: UInt64, count: Int) -> [(address: UInt64, bits: UInt32)] {
        var result: [(UInt64, UInt32)] = []
        var offset = Int(address & 0xFFF)
        while result.count < count, let bits = instruction(at: offset, in: UnsafeRawPointer(scratch)) {
            result.append((base + UInt64(offset), bits))
            offset += bits & 3 == 3 ? 4 : 2
        }
        return result
    }

    /// Notes that code was made from bytes of what was decoded last.
    func cover(_ offset: Int, count: Int) {
        ranges.append((offset, count))
        code.append(contentsOf: UnsafeRawBufferPointer(start: scratch + offset, count: count))
    }

    /// Adds a block, and returns the jumps that wait for it.
    func add(_ offset: Int, _ entry: Entry) -> [Int] {
        entries[offset] = entry
        return waiting.removeValue(forKey: offset) ?? []
    }

    /// Counts a sample of a block, and returns how many there are.
    func addSample(_ offset: Int) -> Int {
        samples[offset, default: 0] += 1
        return samples[offset] ?? 0
    }

    /// Notes that a block is a part of a region; true for the first one.
    func addToRegion(_ offset: Int) -> Bool { regional.insert(offset).inserted }

    func wait(at site: Int, for offset: Int) { waiting[offset, default: []].append(site) }
}
