internal import GuestMemory

/// The translations of one page of guest code, as one virtual page shows it, or any.
///
/// Blocks of a page are linked to each other without any check, so they are valid together: when one of them no longer agrees
/// with guest memory, all are forgotten. To evict some, the jumps that lead to them are unlinked.
///
/// Its translator's lock guards it.
package final class TranslatedPage {
    /// The guest-virtual page that its code is for; nil for relative code, which may run in any.
    let virtual: UInt64?
    /// The address that the addresses of its blocks count from.
    var base: UInt64 { virtual ?? 0 }
    var isRelative: Bool { virtual == nil }
    /// The guest-physical page.
    let physical: UInt64
    /// Where the guest's code lies.
    let source: UnsafeRawPointer
    /// The generation of the translator's when source and copy were last compared.
    @exclusivity(unchecked) private var verified: UInt64
    /// Its version in `watch` at that time.
    private var verifiedVersion: UInt32 = 0
    let watch: (pages: PageWatch, number: Int)?
    /// How often all blocks were forgotten.
    private(set) var epoch = 0
    /// Keeps what the page forgets because it has changed; nil for nobody.
    var keeper: ReplacedPages?

    struct Entry {
        /// For a front end's interpreter and the jump cache.
        let record: CodeEntry
        /// Where code of the same page enters the block, as a position in the code cache.
        let position: Int
        /// It leads to a region.
        let isRegional: Bool
    }

    /// A region with jumps to anywhere, which is made again when a block that it may jump to turns out to be hot.
    struct OpenRegion {
        let start: Int
        let blocks: Set<Int>
        /// Where its code is.
        let segment: Int
        /// How often it was made again.
        let version: Int

        static let lastVersion = 7
    }

    /// Its code in one segment of the code cache.
    struct Part {
        var bytes = 0
        /// The bytes that it was translated from.
        var source = CodeSource()
    }

    /// The record of a page that was saved, as long as nothing of it has changed: what follows is in there, and not here.
    @exclusivity(unchecked) var record: SavedPage? {
        didSet { recordSamples = 0 }
    }
    private var recordSamples = 0

    /// By segment.
    @exclusivity(unchecked) var parts: [Int: Part] = [:]
    /// The entry of each block that has code, by its first instruction's offset.
    var entries: [Int: Entry] = [:]
    /// Jumps from one batch of baseline code to blocks of another, or to ones that are not there, as positions in the code cache.
    var links: [Int: [Int]] = [:]
    /// Older code of blocks that leads to newer one, the oldest first, with the bytes where it begins.
    var redirected: [Int: [(entry: Entry, bytes: UInt64)]] = [:]
    /// How often the budget has ended before a block outside of regions.
    var samples: [Int: Int] = [:]
    /// The last region with jumps to anywhere.
    var openRegion: OpenRegion?
    /// Blocks from which no region can be made.
    var refused: Set<Int> = []
    /// Blocks whose code was evicted, and not made again since: not more than a region has, since pages are remembered for
    /// long.
    var evicted: Set<Int> = []
    /// A hash of the page when it lost the last of its code, for `evicted` and `samples` are of that page only.
    private var imprint = 0

    /// What regions of the page were made from in a page that follows it in virtual memory.
    struct Continuation {
        /// The guest-physical page.
        let physical: UInt64
        /// Its number in guest memory, and where it lies.
        let number: Int
        let page: UnsafeRawPointer
        var source: CodeSource

        var agrees: Bool { source.agrees(with: page) }
    }

    /// By segment.
    var continuations: [Int: [Continuation]] = [:]
    private static let mostContinuations = 16

    /// The round of evictions in which a processor last asked for code of the page: all processors do after each one.
    @exclusivity(unchecked) private(set) var lastUsed: Int
    /// The number of such rounds, older ones counting less.
    var uses = 1
    /// The translator has let the page go.
    var isForgotten = false

    package static let size = 4096

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

    /// The code that a page has had.
    private init(replaced page: TranslatedPage) {
        virtual = page.virtual
        physical = page.physical
        source = page.source
        watch = page.watch
        verified = 0
        lastUsed = page.lastUsed
        uses = page.uses
        parts = page.parts
        entries = page.entries
        links = page.links
        redirected = page.redirected
        samples = page.samples
        openRegion = page.openRegion
        refused = page.refused
        evicted = page.evicted
        continuations = page.continuations
    }

    /// Whether there is some.
    var hasCode: Bool { record != nil || !parts.isEmpty }

    // MARK: Use

    /// A processor asks for code in a round of evictions.
    func noteUse(in round: Int) {
        if lastUsed == round { return }
        lastUsed = round
        uses += 1
    }

    /// Lets uses so far count half.
    func ageUses() { uses /= 2 }

    // MARK: Agreement with guest memory

    /// Compares with guest memory unless that was done in a generation or later, and forgets all blocks when it has changed.
    ///
    /// - Parameter present: a generation that has begun.
    func verify(_ generation: UInt64, present: UInt64) {
        if verified < generation {
            let version = watch.map { $0.pages.version(of: $0.number) } ?? 0
            // A page that has been watched all the time is what it was.
            if version & 1 == 0 || version != verifiedVersion { compare() }
            // Other pages' versions are not kept.
            if !continuations.isEmpty, !continuationsAgree { forgetAll() }
            verified = present
            verifiedVersion = version
        }
    }

    /// The next look at the page compares.
    func forgetVerification() {
        verified = 0
        verifiedVersion = 0
    }

    private func compare() {
        if !agrees { forgetAll() }
    }

    private var agrees: Bool {
        if let record { return record.agrees(with: source) }
        if parts.isEmpty { return evicted.isEmpty || imprint == Self.hash(source) }
        return parts.values.allSatisfy { $0.source.agrees(with: source) }
    }

    /// By which the page's code is found at another address; 0 where it is not to be.
    var savedImprint: UInt32 {
        guard continuations.isEmpty else { return 0 }
        let imprint = SavedCode.imprint(of: source)
        return agrees ? imprint : 0
    }

    private var continuationsAgree: Bool {
        continuations.values.allSatisfy { $0.allSatisfy(\.agrees) }
    }

    /// The same for those in one page, by its number in guest memory.
    func continuationsAgree(into number: Int) -> Bool {
        continuations.values.allSatisfy { $0.allSatisfy { $0.number != number || $0.agrees } }
    }

    /// The numbers of the pages in which its regions go on.
    var continued: Set<Int> { Set(continuations.values.lazy.joined().map(\.number)) }

    /// The page is another one.
    private func forgetAll() {
        if let keeper, !parts.isEmpty { keeper.add(TranslatedPage(replaced: self)) }
        removeBlocks()
        samples.removeAll()
        refused.removeAll()
        evicted.removeAll()
    }

    /// The page's present contents.
    ///
    /// - Parameter copy: room for its bytes, since the guest may write while we read.
    func snapshot(_ copy: UnsafeMutableRawPointer) -> PageSnapshot {
        compare()
        copy.copyMemory(from: source, byteCount: Self.size)
        return PageSnapshot(
            physical: physical, base: base, isRelative: isRelative, epoch: epoch, entries: entries, samples: samples,
            evicted: evicted, openRegion: openRegion.flatMap { $0.version < OpenRegion.lastVersion ? $0 : nil },
            bytes: UnsafeRawPointer(copy))
    }

    /// Whether code that was made from a snapshot of some time ago still agrees with guest memory.
    func isCurrent(_ epoch: Int, _ code: CodeSource) -> Bool {
        !isForgotten && epoch == self.epoch && code.agrees(with: source)
    }

    private static func hash(_ page: UnsafeRawPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(start: page, count: size))
        return hasher.finalize()
    }

    // MARK: Blocks

    /// Notes that there are some bytes of code in a segment.
    func cover(_ source: CodeSource, bytes: Int, in segment: Int) {
        parts[segment, default: Part()].source.append(source)
        parts[segment, default: Part()].bytes += bytes
    }

    /// The segments with code of the page, and how many bytes of it.
    var sizes: some Sequence<(segment: Int, bytes: Int)> { parts.lazy.map { ($0.key, $0.value.bytes) } }

    /// Whether there is as much code of the page as of few honest ones: each region may have all blocks of others once more.
    var hasMuchCode: Bool { parts.values.reduce(0) { $0 + $1.bytes } > Self.muchCode }

    private static let muchCode = 1 << 20

    /// Adds a block, which takes the place of one that is there, and links the jumps that wait for it.
    func add(_ offset: Int, _ entry: Entry, _ cache: borrowing CodeCache) {
        if let old = entries[offset] {
            redirected[offset, default: []].append((old, cache.bytes(at: old.position)))
            for (older, _) in redirected[offset] ?? [] { cache.redirect(older.position, to: entry.position) }
        }
        entries[offset] = entry
        evicted.remove(offset)
        for site in links[offset] ?? [] { cache.link(site, to: entry.position) }
    }

    /// Links a jump to a block, now or when that is there.
    func link(_ site: Int, to offset: Int, _ cache: borrowing CodeCache) {
        links[offset, default: []].append(site)
        if let entry = entries[offset] { cache.link(site, to: entry.position) }
    }

    /// Offsets of blocks, those with most samples first.
    static func hottestFirst(_ offsets: some Sequence<Int>, _ samples: [Int: Int]) -> [Int] {
        offsets.map { ($0, samples[$0] ?? 0) }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }.map(\.0)
    }

    /// Counts a sample of a page that has a record, and returns whether there are enough for the page to be read from it.
    func countSampleOfRecord() -> Bool {
        recordSamples += 1
        return recordSamples > Self.fewSamples
    }

    private static let fewSamples = 2

    /// Counts a sample of a block, and returns how many there are.
    func addSample(_ offset: Int) -> Int {
        samples[offset, default: 0] += 1
        return samples[offset] ?? 0
    }

    /// Whether the entry of a block leads to a region.
    func isRegional(_ offset: Int) -> Bool { entries[offset]?.isRegional ?? false }

    /// Whether a block of a new region is entered there from now on.
    func takesFromRegion(_ offset: Int, replacing old: OpenRegion?) -> Bool {
        !isRegional(offset) || old?.blocks.contains(offset) ?? false
    }

    /// Notes a region that may have to be made again.
    func note(_ region: OpenRegion) { openRegion = region }

    /// Notes that no region can be made from a block.
    func refuseRegion(_ offset: Int) { refused.insert(offset) }

    // MARK: Removal

    func removeBlocks() {
        epoch += 1
        record = nil
        entries.removeAll()
        links.removeAll()
        redirected.removeAll()
        openRegion = nil
        continuations.removeAll()
        parts.removeAll()
    }

    // MARK: The next page

    /// Whether one more region may have blocks in the page that follows in virtual memory.
    var canContinue: Bool { continuations.values.reduce(0) { $0 + $1.count } < Self.mostContinuations }

    /// Notes that a region in a segment has blocks in the page that follows. When that changes, all blocks are forgotten.
    func add(_ continuation: Continuation, in segment: Int) {
        var all = continuations[segment] ?? []
        if let index = all.firstIndex(where: { $0.number == continuation.number }) {
            all[index].source.append(continuation.source)
        } else {
            all.append(continuation)
        }
        continuations[segment] = all
    }

    /// Forgets the blocks in a segment of the code cache, but not which of them were the start of regions: the next sample of one
    /// makes it a region again. Nothing may execute code of the page.
    ///
    /// - Returns: the offsets where regions began.
    func evict(_ segment: Int, _ segments: borrowing CodeSegments, _ cache: borrowing CodeCache, regionThreshold: Int)
        -> [Int]
    {
        guard parts.removeValue(forKey: segment) != nil else { return [] }
        continuations[segment] = nil
        if openRegion?.segment == segment { openRegion = nil }
        var hot: [Int] = []
        var lost: [Int] = []
        for (offset, entry) in entries {
            let isLost = segments.index(of: entry.position) == segment
            if isLost, entry.isRegional, let samples = samples[offset], samples >= regionThreshold {
                self.samples[offset] = regionThreshold - 1
                hot.append(offset)
            }
            if isLost { entries[offset] = nil }
            if let older = redirected[offset] {
                redirect(offset, older.filter { segments.index(of: $0.entry.position) != segment }, cache)
            }
            if entries[offset] == nil { lost.append(offset) }
        }
        remember(lost)
        if parts.isEmpty { imprint = Self.hash(source) }
        for (offset, sites) in links {
            let left = sites.filter { segments.index(of: $0) != segment }
            links[offset] = left.isEmpty ? nil : left
            for site in left {
                if let entry = entries[offset] {
                    cache.link(site, to: entry.position)
                } else {
                    cache.unlink(site)
                }
            }
        }
        return hot.sorted()
    }

    /// Remembers blocks that have no code any more, those with most samples first, and nothing of those for which there is no room.
    private func remember(_ lost: [Int]) {
        for offset in Self.hottestFirst(lost, samples) {
            if evicted.count < RegionLifter.blockLimit {
                evicted.insert(offset)
            } else {
                samples[offset] = nil
                refused.remove(offset)
            }
        }
    }

    /// Redirects the remaining older code of a block to the newest code that remains.
    private func redirect(
        _ offset: Int, _ older: [(entry: Entry, bytes: UInt64)], _ cache: borrowing CodeCache
    ) {
        var older = older
        if entries[offset] == nil, let newest = older.popLast() {
            cache.restore(newest.bytes, at: newest.entry.position)
            entries[offset] = newest.entry
        }
        redirected[offset] = older.isEmpty ? nil : older
        guard let newest = entries[offset] else { return }
        for (entry, _) in older { cache.redirect(entry.position, to: newest.position) }
    }
}
