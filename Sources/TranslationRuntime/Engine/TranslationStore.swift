internal import GuestMemory
internal import HostSystem
internal import HostX86_64
internal import Translator

/// All code that was generated for the processors of a machine. `TranslationEngine`'s lock guards it.
///
/// Code is changed only by `CodeCache.link`, `unlink` and `redirect`: processors execute it meanwhile. When a stream
/// of code has no segment of the cache left, all pages with code in another one lose it; see `makeRoom`.
///
/// Accesses of what a search for code reads are not checked for overlaps while the program runs: that took a twelfth of a copy's first moments.
final class TranslationStore {
    @exclusivity(unchecked) var cache: CodeCache
    @exclusivity(unchecked) var segments: CodeSegments
    /// Makes baseline code, with the lock held.
    let builder: CodeBuilder
    /// Makes regions, on one thread: the worker's, or with the lock held where there is none.
    private let regionBuilder: CodeBuilder
    let frontEnd: any GuestFrontEnd
    /// By the guest-physical page.
    @exclusivity(unchecked) var pages: [UInt64: PageTranslations] = [:]
    /// By the number in guest memory of a page, those whose regions go on in it, or did so.
    var continued: [Int: [TranslatedPage]] = [:]
    // Pages point into it.
    let memory: GuestMemory
    /// Pages of a saved machine that nobody has asked for yet.
    @exclusivity(unchecked) var saved: SavedCode?
    /// Whether there is only one processor.
    let isAlone: Bool
    /// What was looked for in there.
    @exclusivity(unchecked) var lookups = SavedLookups()
    /// Code of pages that have changed, to be saved as well; nil where it is not wanted.
    var replaced: ReplacedPages?
    /// What was adopted, and from which file.
    var adopted: (code: SavedCode, file: SharedCode?)?
    /// The file that code was adopted from or stored in last, for copies of the machine.
    var shared: SharedCode?
    /// Where code is stored for copies of the machine before it is removed (`trim`).
    var storage: CodeStorage?
    /// The program that has the code's helpers; nil where its linker says nothing of it.
    let build: [UInt8]?

    /// Code is about to be removed: nothing is to be found, and nothing made.
    @exclusivity(unchecked) var isRemoving = false
    /// Streams that wait for a segment.
    private var waiting: Set<CodeSegments.Stream> = []
    /// Rounds of evictions so far.
    @exclusivity(unchecked) private(set) var round = 0
    var counts = TranslationCounts()

    private let trace: TranslationTrace?
    let options: TranslationOptions

    /// - Parameters:
    ///   - layout: of the processors' states.
    ///   - entryRecord: by which the front end's interpreter enters generated code.
    ///   - memory: the guest's.
    ///   - isAlone: whether there is only one processor.
    init(
        _ frontEnd: any GuestFrontEnd, layout: StateLayout, entryRecord: HelperRecord, memory: GuestMemory,
        _ options: TranslationOptions, isAlone: Bool, trace: TranslationTrace?
    ) throws(TranslationError) {
        guard TranslationHost.canTranslate else {
            throw TranslationError(
                subject: "the translator generates code for x86-64 processors only", cause: nil)
        }
        let cache = try Self.makeCache(options.capacity)
        var layout = layout
        layout.codeAlignment = frontEnd.codeAlignment
        layout.jumps.recordStart = UInt(entryRecord.words.0)
        let generator = HostGenerator(code: cache.writableBase, layout: layout)
        segments = CodeSegments(
            capacity: cache.capacity, firstBlock: generator.firstBlock, entryRecord: entryRecord)
        builder = CodeBuilder(generator, frontEnd, isTracing: trace != nil)
        regionBuilder = CodeBuilder(generator, frontEnd, isTracing: trace != nil)
        self.frontEnd = frontEnd
        self.cache = cache
        self.trace = trace
        self.options = options
        self.memory = memory
        self.isAlone = isAlone
        replaced = options.keepsReplacedCode ? ReplacedPages() : nil
        build = UnsafeRawPointer(bitPattern: layout.memory.loadHelper).flatMap(ProgramBuild.identity)
    }

    private static func makeCache(_ capacity: Int) throws(TranslationError) -> CodeCache {
        do throws(SystemError) {
            return try CodeCache(capacity: capacity)
        } catch {
            throw TranslationError(
                subject: "the translator's code cache of \(capacity >> 20)M (--code-cache)", cause: error)
        }
    }

    /// Lets a processor enter generated code.
    func connect(_ state: inout TranslationState) {
        // The address and type are those of the entry that the generator has made.
        state.enter = unsafeBitCast(cache.executableBase + builder.generator.entry, to: NativeEntry.self)
        state.unknownCode =
            UInt(bitPattern: cache.executableBase) + UInt(builder.generator.exitForLackOfCode)
    }

    // MARK: Baseline code

    enum Result {
        case code(CodeEntry)
        /// The first instruction is not worth it.
        case never
        case noRoom
    }

    /// Translates the block at an offset of a page and those it leads to.
    ///
    /// - Parameters:
    ///   - next: the guest-physical page that follows in the guest's virtual memory, if it is known.
    ///   - processor: the one that asks, for the trace.
    func translate(_ offset: Int, of page: TranslatedPage, next: UInt64? = nil, for processor: Int) -> Result {
        if let entry = entry(offset, of: page) { return .code(entry.record) }
        load(page)
        if !waiting.isEmpty { return .noRoom }
        if options.regionThreshold == 0, !page.refused.contains(offset) {
            let request = RegionRequest(
                page: page, offset: offset, epoch: page.epoch, processor: processor, next: next)
            if !makeRegion(request) { return .noRoom }
        }
        if page.entries[offset] == nil {
            var batch = BatchLifter(
                page: builder.snapshot(of: page), frontEnd: frontEnd, limit: CodeBuilder.batchLimit)
            batch.lift(from: offset)
            if !batch.blocks.isEmpty, !install(batch, in: page, for: processor) { return .noRoom }
        }
        return page.entries[offset].map { .code($0.record) } ?? .never
    }

    /// False when there is no room.
    private func install(_ lifted: BatchLifter, in page: TranslatedPage, for processor: Int) -> Bool {
        let blocks = lifted.blocks
        let stream: CodeSegments.Stream = page.uses < Self.manyUses ? .other : .frequent
        guard let (position, batch) = generate(blocks, stream, page.base) else {
            waiting.insert(stream)
            return false
        }
        cache.write(builder.code(from: position, to: batch.end), at: position)
        trace?.write(
            "blocks", processor: processor, of: lifted.page, blocks, builder.generator.marks, end: batch.end,
            code: cache.executableBase, frontEnd: frontEnd)
        page.cover(
            CodeSource(lifted.covered, of: lifted.page.bytes), bytes: batch.end - position,
            in: segments.index(of: position))
        segments.extend(stream, to: batch.end)
        for (index, block) in blocks.enumerated() {
            add(block, stream, position: batch.entries[index], gate: batch.gates[index], to: page)
        }
        for link in batch.pending { page.link(link.site, to: Int(link.target & 0xFFF), cache) }
        return true
    }

    /// Generates code that fits where it is to go; nil when there is no such place.
    private func generate(
        _ blocks: [GuestBlock], _ stream: CodeSegments.Stream, _ base: UInt64
    ) -> (position: Int, TranslatedBatch)? {
        let indices = blocks.indicesByAddress
        while let place = segments.place(for: stream, records: blocks.count) {
            let batch = builder.translate(blocks, at: place.position) { target in
                if let index = indices[target] { return .block(index) }
                return target & ~0xFFF == base ? .pending : .lookup
            }
            if batch.end <= place.end { return (place.position, batch) }
            precondition(!place.isWhole, "a segment has room for what is translated at once")
            segments.close(stream)
        }
        return nil
    }

    /// Notes where a block's code is.
    private func add(
        _ block: GuestBlock, _ stream: CodeSegments.Stream, position: Int, gate: Int, to page: TranslatedPage
    ) {
        let record = segments.makeRecord(stream, code: UInt(bitPattern: cache.executableBase) + UInt(gate))
        page.add(
            Int(block.address & 0xFFF),
            TranslatedPage.Entry(record: record, position: position, isRegional: stream == .regions), cache)
    }

    // MARK: Regions

    /// Counts a sample of a block in baseline code. Returns a request when there are enough to make it the start of a region.
    func sample(_ offset: Int, of page: TranslatedPage, next: UInt64? = nil, for processor: Int) -> RegionRequest? {
        // To change the page of a saved machine takes long, and a page that is hot has more samples soon.
        if page.record != nil, !page.countSampleOfRecord() { return nil }
        load(page)
        // Where processors make regions at once, no other thread may, since there is one builder of them.
        guard options.regionThreshold > 0, page.entries[offset] != nil, !page.isRegional(offset),
            !page.refused.contains(offset)
        else {
            return nil
        }
        // A request may be dropped, so there are more of them.
        let more = page.addSample(offset) - options.regionThreshold
        guard more >= 0, more % 32 == 0 else { return nil }
        return RegionRequest(page: page, offset: offset, epoch: page.epoch, processor: processor, next: next)
    }

    /// Makes a region at once, where there is no worker. False when there is no room.
    func makeRegion(_ request: RegionRequest) -> Bool {
        guard let work = startRegion(request) else { return true }
        var step = RegionWork.Step.again
        while step == .again {
            work.generate()
            step = finishRegion(work)
        }
        return step == .done
    }

    /// Begins to make a region; nil when none is to be made.
    ///
    /// - Returns: the work, for one thread, which need not hold the lock, until it asks for the next.
    func startRegion(_ request: RegionRequest) -> RegionWork? {
        let page = request.page
        load(page)
        if page.isRegional(request.offset) || page.hasMuchCode { return nil }
        let work = RegionWork(request, regionSnapshot(of: page, next: request.next), regionBuilder, frontEnd)
        // The snapshot may be the first to see a change.
        guard !page.isForgotten, page.epoch == request.epoch else {
            counts.droppedRegions += 1
            return nil
        }
        work.place = placeForRegion()
        return work
    }

    private func regionSnapshot(of page: TranslatedPage, next physical: UInt64?) -> PageSnapshot {
        guard let physical, page.canContinue, let next = nextPage(of: page, physical: physical) else {
            return regionBuilder.snapshot(of: page)
        }
        return regionBuilder.snapshot(of: page, next: next)
    }

    private func placeForRegion() -> CodeSegments.Place? {
        segments.place(for: .regions, records: RegionLifter.blockLimit)
    }

    /// Lets processors enter a region that was generated, unless its page is another one now.
    func finishRegion(_ work: RegionWork) -> RegionWork.Step {
        let page = work.request.page
        if let continuation = work.continuation { memory.watch.noteFollower(continuation.number) }
        guard work.isCurrent else {
            counts.droppedRegions += 1
            return .done
        }
        guard let place = work.place else {
            // There may be room by now.
            work.place = placeForRegion()
            if work.place != nil { return .again }
            waiting.insert(.regions)
            return .noRoom
        }
        guard let region = work.region else {
            page.refuseRegion(work.request.offset)
            return .done
        }
        if region.end > place.end {
            if place.isWhole {
                page.refuseRegion(work.request.offset)
                return .done
            }
            segments.close(.regions)
            work.place = placeForRegion()
            return .again
        }
        install(region, of: work, at: place.position)
        return .done
    }

    private func install(_ region: TranslatedRegion, of work: RegionWork, at position: Int) {
        let page = work.request.page
        cache.write(regionBuilder.code(from: position, to: region.end), at: position)
        trace?.write(
            "region", processor: work.request.processor, of: work.snapshot, work.blocks, regionBuilder.generator.marks,
            end: region.end, code: cache.executableBase, frontEnd: frontEnd)
        page.cover(work.source, bytes: region.end - position, in: segments.index(of: position))
        if let continuation = work.continuation {
            page.add(continuation, in: segments.index(of: position))
            noteContinuations(of: page)
            counts.regionsOfTwoPages += 1
        }
        segments.extend(.regions, to: region.end)
        counts.regionBytes += region.end - position
        counts.regions += 1
        if work.replaced != nil { counts.replacedRegions += 1 }
        for (index, block) in work.blocks.enumerated() where !block.isBehindBorder {
            // A region that has the block already stays the one that others enter.
            guard page.takesFromRegion(Int(block.address & 0xFFF), replacing: work.replaced) else { continue }
            add(block, .regions, position: region.entries[index], gate: region.gates[index], to: page)
        }
        if let open = work.openRegion(in: segments.index(of: position)) { page.note(open) }
    }

    // MARK: Room

    /// Whether a file that was adopted has nearly all of the code.
    var hasAdoptedNearlyAll: Bool { adopted?.file?.hasNearlyAll(of: segments.generated) == true }

    /// Removes all code but what was adopted as it was, and gives its memory back. No processor is in generated code, or enters any that it
    /// has found before.
    func removeAll() {
        forEachPage { $0.isForgotten = true }
        pages = [:]
        continued = [:]
        saved = nil
        lookups = SavedLookups()
        replaced?.end()
        waiting = []
        let shared = builder.generator.firstBlock
        segments.freeAll()
        cache.clear(from: shared)
        builder.trim()
        self.shared = nil
        guard let adopted, cache.restoreAdopted(behind: shared),
            segments.adopt(adopted.code.fills, adopted.code.streams)
        else { return }
        adopted.code.takeBack()
        adopted.code.releaseMemory()
        saved = adopted.code
        self.shared = adopted.file.flatMap { SharedCode(of: $0.file, count: segments.generated) }
        self.adopted?.file = self.shared
    }

    /// Gives the memory back in which regions are generated. No thread generates any.
    func trimRegionBuilder() { regionBuilder.trim() }

    /// Whether somebody waits for room.
    var lacksRoom: Bool { !waiting.isEmpty }

    /// Frees a segment for each stream that waits for one. No processor may be in generated code, or enter any that it
    /// has found before.
    ///
    /// - Returns: regions that are gone but in use.
    func makeRoom() -> [RegionRequest] {
        var again: [RegionRequest] = []
        replaced?.end()
        loadAllPages()
        for stream in CodeSegments.Stream.allCases where waiting.contains(stream) {
            if !segments.hasFree, let victim = coldestSegment() { again += evict(victim) }
            // Nobody else takes it.
            _ = segments.place(for: stream, records: 1)
        }
        waiting.removeAll()
        isRemoving = false
        for physical in pages.keys {
            let isLeft = pages[physical]?.removeAll { page in
                page.entries.isEmpty && round - page.lastUsed > Self.remembered
            }
            if isLeft == false { pages[physical] = nil }
        }
        if round % Self.agingInterval == 0 { forEachPage { $0.ageUses() } }
        round += 1
        return again
    }

    /// Rounds of evictions for which pages are remembered that have no code.
    private static let remembered = 2 * CodeSegments.count

    /// Uses of a page whose code is kept apart from that of others.
    private static let manyUses = 4
    /// Rounds of evictions after which uses count half.
    private static let agingInterval = 32

    func forEachPage(_ body: (TranslatedPage) -> Void) {
        for translations in pages.values {
            if let page = translations.first { body(page) }
            if let page = translations.relative { body(page) }
        }
    }

    /// The segment whose code is of use least often. Of equal ones the oldest.
    private func coldestSegment() -> Int? {
        var uses = [Int](repeating: 0, count: CodeSegments.count)
        forEachPage { page in
            for (segment, bytes) in page.sizes { uses[segment] &+= bytes &* page.uses }
        }
        return segments.closed.min { uses[$0] < uses[$1] }
    }

    private func evict(_ segment: Int) -> [RegionRequest] {
        counts.evictions += 1
        var again: [RegionRequest] = []
        forEachPage { page in
            let next = page.continuations[segment]?.last?.physical
            let starts = page.evict(segment, segments, cache, regionThreshold: options.regionThreshold)
            guard page.lastUsed == round else { return }
            again += starts.map {
                RegionRequest(page: page, offset: $0, epoch: page.epoch, processor: 0, next: next)
            }
        }
        segments.free(segment)
        return again
    }
}
