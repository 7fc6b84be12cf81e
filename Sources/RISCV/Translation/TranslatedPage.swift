internal import GuestMemory
internal import Translator

/// The translations of one page of guest code, as one virtual page shows it, or any.
///
/// Blocks of a page are linked to each other without any check, so they live and die together: when one of them no longer
/// agrees with guest memory, all are forgotten. Only regions lead to no standard code, so they can stay without it.
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
    /// What its blocks were translated from: those of standard code, and those of regions.
    private var standardSource = CodeSource()
    private var regionSource = CodeSource()
    /// How often all blocks were forgotten.
    private(set) var epoch = 0

    struct Entry {
        /// For the interpreter's loop and the jump cache.
        let operation: OperationReference
        /// Where code of the same page goes on, as a position in the code cache.
        let position: Int
    }

    /// Where in the code cache there is code.
    struct Footprint {
        /// A bit for each segment.
        private(set) var segments: UInt16 = 0
        /// In all segments.
        private(set) var bytes = 0

        mutating func add(_ count: Int, in segment: Int) {
            segments |= 1 << UInt16(segment)
            bytes += count
        }

        func isIn(_ segment: Int) -> Bool { segments >> UInt16(segment) & 1 == 1 }
    }

    /// The entry of each block that has code, by its first instruction's offset.
    private(set) var entries: [Int: Entry] = [:]
    /// Jumps that wait for a block, as positions in the code cache.
    private var waiting: [Int: [Int]] = [:]
    /// How often the budget has ended before a block outside of regions.
    private(set) var samples: [Int: Int] = [:]
    /// Blocks that have been made the start of a region, or a part of one: those whose entries lead to regions.
    private(set) var regional: Set<Int> = []
    /// Blocks from which no region can be made.
    private(set) var refused: Set<Int> = []
    /// Blocks whose code was evicted, and not made again since.
    private(set) var evicted: Set<Int> = []

    var standard = Footprint()
    var regions = Footprint()
    /// The round of evictions in which a hart last asked for code of the page.
    var lastUsed: Int
    /// The translator has let the page go.
    var isForgotten = false

    static let size = 4096

    /// - Parameter memory: where the page is watched while code is fetched from it, if it is.
    init(
        virtual: UInt64?, physical: UInt64, source: UnsafeRawPointer, generation: UInt64, round: Int,
        watchedIn memory: GuestMemory?
    ) {
        self.virtual = virtual
        self.physical = physical
        self.source = source
        watch = memory.map { ($0.watch, (source - UnsafeRawPointer($0.hostBase)) >> 12) }
        verified = generation
        lastUsed = round
    }

    // MARK: Agreement with guest memory

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
        if standardSource.agrees(with: source), regionSource.agrees(with: source) { return }
        removeBlocks()
        samples.removeAll()
        refused.removeAll()
        evicted.removeAll()
    }

    /// What the page is now.
    ///
    /// - Parameter copy: room for its bytes, since the guest may write while we read.
    func snapshot(_ copy: UnsafeMutableRawPointer) -> PageSnapshot {
        compare()
        copy.copyMemory(from: source, byteCount: Self.size)
        return PageSnapshot(
            physical: physical, base: base, isRelative: isRelative, epoch: epoch, entries: entries, samples: samples,
            evicted: evicted, bytes: UnsafeRawPointer(copy))
    }

    /// Whether code that was made from a snapshot of some time ago still is what guest memory says.
    func isCurrent(_ epoch: Int, _ code: CodeSource) -> Bool {
        !isForgotten && epoch == self.epoch && code.agrees(with: source)
    }

    // MARK: Blocks

    /// Notes that standard code was made from bytes of the page.
    func cover(_ code: CodeSource) { standardSource.append(code) }
    /// Notes that a region was made from bytes of the page.
    func coverRegion(_ code: CodeSource) { regionSource.append(code) }

    /// Adds a block, and returns the jumps that wait for it.
    func add(_ offset: Int, _ entry: Entry) -> [Int] {
        entries[offset] = entry
        evicted.remove(offset)
        return waiting.removeValue(forKey: offset) ?? []
    }

    func wait(at site: Int, for offset: Int) { waiting[offset, default: []].append(site) }

    /// Counts a sample of a block, and returns how many there are.
    func addSample(_ offset: Int) -> Int {
        samples[offset, default: 0] += 1
        return samples[offset] ?? 0
    }

    /// Notes that a block is a part of a region; true for the first one.
    func addToRegion(_ offset: Int) -> Bool { regional.insert(offset).inserted }

    /// Notes that no region can be made from a block.
    func refuseRegion(_ offset: Int) { refused.insert(offset) }

    // MARK: Removal

    private func removeBlocks() {
        epoch += 1
        entries.removeAll()
        waiting.removeAll()
        regional.removeAll()
        standardSource.removeAll()
        regionSource.removeAll()
        standard = Footprint()
        regions = Footprint()
    }

    /// Forgets standard code. Regions stay: they lead nowhere but through the jump cache.
    func evictStandard() {
        evicted.formUnion(entries.keys.filter { !regional.contains($0) })
        entries = entries.filter { regional.contains($0.key) }
        waiting.removeAll()
        standardSource.removeAll()
        standard = Footprint()
    }

    /// Forgets all blocks, but not which of them were the start of regions: the next sample of one makes it a region again.
    ///
    /// - Returns: the offsets where regions began.
    func evictAll(regionThreshold: Int) -> [Int] {
        let hot = samples.keys.filter { regional.contains($0) && samples[$0] ?? 0 >= regionThreshold }.sorted()
        evicted.formUnion(entries.keys)
        removeBlocks()
        for offset in hot { samples[offset] = regionThreshold - 1 }
        return hot
    }
}
