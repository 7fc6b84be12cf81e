internal import GuestMemory
internal import HostSystem
internal import Translator

/// All code that was generated for the harts of a machine. `TranslationEngine`'s lock guards it.
///
/// Code only ever becomes more until all of it is removed, and what is there is changed only by `Assembler.patchJump`: harts
/// execute it meanwhile.
final class TranslationStore {
    private let cache: CodeCache
    private var generator: Generator
    private let features = HostFeatures.detected
    /// By the guest-physical page.
    private var pages: [UInt64: PageTranslations] = [:]

    // Operations that enter generated code, each followed by the host address of its code.
    private let entries: UnsafeMutableRawPointer
    private var entryCount = 0
    private let scratch = UnsafeMutableRawPointer.allocate(byteCount: TranslatedPage.size, alignment: 16)

    private static let entryCapacity = 1 << 18
    private static let entrySize = MemoryLayout<Operation>.stride + 8
    /// Most blocks that are translated at once.
    private static let batchLimit = 8

    /// All code is about to be removed: nothing is to be found, and nothing made.
    var isRemoving = false

    private let trace: TranslationTrace?
    private let options: TranslationOptions

    /// - Parameter state: of any hart of the machine.
    init(
        for state: UnsafeMutablePointer<HartState>, _ options: TranslationOptions, trace: TranslationTrace?
    ) throws(TranslationError) {
        guard HostFeatures.canRunGeneratedCode else {
            throw TranslationError(description: "the translator generates code for x86-64 processors only")
        }
        let cache = try Self.makeCache(options.capacity)
        generator = Generator(
            code: cache.writableBase, execution: cache.executableBase, layout: StateLayout(of: state),
            features: features)
        self.cache = cache
        self.trace = trace
        self.options = options
        generator.isTracing = trace != nil
        entries = .allocate(byteCount: Self.entryCapacity * Self.entrySize, alignment: 16)
    }

    deinit {
        entries.deallocate()
        scratch.deallocate()
    }

    private static func makeCache(_ capacity: Int) throws(TranslationError) -> CodeCache {
        do throws(SystemError) {
            return try CodeCache(capacity: capacity)
        } catch {
            throw TranslationError(description: "the translator's code cache: \(error)")
        }
    }

    /// Lets a hart enter generated code.
    func connect(to state: UnsafeMutablePointer<HartState>) {
        // The address and type are those of the entry that the generator has made.
        state.pointee.translation.enter = unsafeBitCast(
            cache.executableBase + generator.runtime.enter, to: NativeEntry.self)
        state.pointee.translation.unknownCode =
            UInt(bitPattern: cache.executableBase) + UInt(generator.runtime.exitJump)
    }

    /// The translations of a page, whether or not they agree with guest memory.
    func page(at virtual: UInt64, physical: UInt64) -> TranslatedPage? { pages[physical]?.page(at: virtual) }

    /// The same, made if need be.
    ///
    /// - Parameters:
    ///   - source: the page in guest memory.
    ///   - present: the generation in which that is looked at.
    ///   - memory: where the page is watched while code is fetched from it, if it is.
    func makePage(
        at virtual: UInt64, physical: UInt64, source: UnsafeRawPointer, present: UInt64, watchedIn memory: GuestMemory?
    ) -> TranslatedPage {
        if let known = page(at: virtual, physical: physical) { return known }
        let isRelative = pages[physical] != nil || options.alwaysRelative
        let page = TranslatedPage(
            virtual: isRelative ? nil : virtual, physical: physical, source: source, generation: present,
            scratch: scratch, watchedIn: memory)
        pages[physical, default: PageTranslations()].insert(page)
        return page
    }

    /// Translates the block at an offset of a page and those it leads to. Nil when its first instruction is not worth it.
    ///
    /// - Parameter hart: the one that asks, for the trace.
    func translate(_ offset: Int, of page: TranslatedPage, for hart: Int) -> OperationReference? {
        if page.entries[offset] == nil {
            if options.regionThreshold == 0 {
                makeRegion(in: page, from: offset, for: hart)
            } else {
                var batch = BatchLifter(page: page, features: features, limit: Self.batchLimit)
                batch.lift(from: offset)
                if !batch.blocks.isEmpty { install(batch.blocks, in: page, for: hart) }
            }
        }
        return page.entries[offset]?.operation
    }

    /// Counts a sample of a block in standard code, and makes it the start of a region when there are enough. False when
    /// that has to wait for room.
    func sample(_ offset: Int, of page: TranslatedPage, for hart: Int) -> Bool {
        guard page.entries[offset] != nil, !page.regional.contains(offset),
            page.addSample(offset) >= options.regionThreshold
        else { return true }
        if isFull { return false }
        makeRegion(in: page, from: offset, for: hart)
        return true
    }

    private func makeRegion(in page: TranslatedPage, from offset: Int, for hart: Int) {
        var lifter = RegionLifter(page: page, features: features)
        let blocks = lifter.lift(from: offset)
        guard !blocks.isEmpty else { return }
        let region = generator.translateRegion(blocks)
        trace?.write(
            "region", hart: hart, of: page, blocks, generator.marks, end: region.end, code: cache.executableBase)
        for (index, block) in blocks.enumerated() {
            let offset = Int(block.address & 0xFFF)
            // A region that has the block already stays the one that others enter.
            guard page.addToRegion(offset) else { continue }
            let position = region.entries[index]
            if let old = page.entries[offset] { generator.redirect(old.position, to: position) }
            add(block, position: position, gate: region.gates[index], to: page)
        }
    }

    /// Whether there may not be room for what is translated at once.
    var isFull: Bool {
        let most = max(
            Self.batchLimit * Generator.maximumSize(steps: BlockLifter.maximumCount + 2),
            Generator.maximumRegionOverhead
                + Generator.maximumSize(steps: RegionLifter.sizeLimit + BlockLifter.maximumCount)
                + RegionLifter.blockLimit * Generator.maximumSize(steps: 2))
        return cache.capacity - generator.assembler.position < most
            || Self.entryCapacity - entryCount < max(Self.batchLimit, RegionLifter.blockLimit)
    }

    /// Forgets all code, but not where regions began. No hart may be in generated code, or come to what it has kept of it.
    func removeAll() {
        for physical in pages.keys where pages[physical]?.removeCode(regionThreshold: options.regionThreshold) == false
        {
            pages[physical] = nil
        }
        generator.removeAll()
        entryCount = 0
        isRemoving = false
    }

    private func install(_ blocks: [GuestBlock], in page: TranslatedPage, for hart: Int) {
        var indices: [UInt64: Int] = [:]
        for (index, block) in blocks.enumerated() { indices[block.address] = index }
        let batch = generator.translate(blocks) { target in
            if let index = indices[target] { return .block(index) }
            guard target & ~0xFFF == page.base else { return .lookup }
            guard let entry = page.entries[Int(target & 0xFFF)] else { return .pending }
            return .code(entry.position)
        }
        trace?.write(
            "blocks", hart: hart, of: page, blocks, generator.marks, end: batch.end, code: cache.executableBase)
        for (index, block) in blocks.enumerated() {
            add(block, position: batch.entries[index], gate: batch.gates[index], to: page)
        }
        for link in batch.pending { page.wait(at: link.site, for: Int(link.target & 0xFFF)) }
    }

    /// Notes where a block's code is, and links the jumps that wait for it.
    private func add(_ block: GuestBlock, position: Int, gate: Int, to page: TranslatedPage) {
        let operation = makeEntry(code: UInt(bitPattern: cache.executableBase) + UInt(gate))
        let entry = TranslatedPage.Entry(operation: operation, position: position)
        for site in page.add(Int(block.address & 0xFFF), entry) { generator.assembler.relink(site, to: position) }
    }

    private func makeEntry(code: UInt) -> OperationReference {
        let entry = entries + entryCount * Self.entrySize
        entryCount += 1
        entry.storeBytes(of: Operation(nativeEntry, bits: 3), as: Operation.self)
        entry.storeBytes(of: code, toByteOffset: MemoryLayout<Operation>.stride, as: UInt.self)
        return OperationReference(entry)
    }
}
