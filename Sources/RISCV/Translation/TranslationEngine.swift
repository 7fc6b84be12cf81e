internal import HostSystem
internal import Machine
internal import Translator

/// Translates a hart's hot code, and finds what is translated. Only the hart's thread uses it.
///
/// Code starts in the interpreter; a block that has run `TranslationState.threshold` times is translated together with the blocks of its
/// page that it jumps to.
final class TranslationEngine {
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

    private let trace: TranslationTrace?
    private let hart: Int

    /// - Parameter capacity: bytes of code, one of `Hart.codeCapacities`: jumps reach 2 GiB, and what is translated at once
    ///   needs some room.
    init(state: UnsafeMutablePointer<HartState>, capacity: Int, trace: TranslationTrace?) throws(TranslationError) {
        guard HostFeatures.canRunGeneratedCode else {
            throw TranslationError(description: "the translator generates code for x86-64 processors only")
        }
        let cache = try Self.makeCache(capacity)
        generator = Generator(
            code: cache.writableBase, execution: cache.executableBase, layout: StateLayout(of: state),
            features: features)
        // The address and type are those of the entry that the generator has just made.
        state.pointee.translation.enter = unsafeBitCast(
            cache.executableBase + generator.runtime.enter, to: NativeEntry.self)
        state.pointee.translation.unknownCode =
            UInt(bitPattern: cache.executableBase) + UInt(generator.runtime.exitJump)
        self.cache = cache
        self.trace = trace
        hart = state.pointee.index
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

    /// The entry of the translated block at an address and the page that it is in, if there is one that agrees with guest
    /// memory.
    func find(
        _ address: UInt64, physical: UInt64, generation: UInt64
    ) -> (entry: OperationReference, page: TranslatedPage)? {
        guard let page = pages[physical & ~0xFFF]?.page(at: address & ~0xFFF) else { return nil }
        page.verify(generation)
        guard let entry = page.entries[Int(address & 0xFFF)] else { return nil }
        return (entry.operation, page)
    }

    /// The host address of an entry's code.
    static func code(of entry: OperationReference) -> UInt {
        entry.load(fromByteOffset: MemoryLayout<Operation>.stride, as: UInt.self)
    }

    /// Translates the block at an address and those it leads to. Nil when its first instruction is not worth it.
    ///
    /// - Parameter source: the page in guest memory.
    func translate(
        _ address: UInt64, physical: UInt64, source: UnsafeRawPointer, in state: UnsafeMutablePointer<HartState>
    ) -> OperationReference? {
        makeRoom(in: state)
        let page = page(at: address & ~0xFFF, physical: physical & ~0xFFF, source: source, in: state)
        let offset = Int(address & 0xFFF)
        if page.entries[offset] == nil {
            if state.pointee.translation.regionThreshold == 0 {
                makeRegion(in: page, from: offset)
            } else {
                var batch = BatchLifter(page: page, features: features, limit: Self.batchLimit)
                batch.lift(from: offset)
                if !batch.blocks.isEmpty { install(batch.blocks, in: page) }
            }
        }
        return page.entries[offset]?.operation
    }

    /// The translations of a page that agree with guest memory, made if need be.
    private func page(
        at virtual: UInt64, physical: UInt64, source: UnsafeRawPointer, in state: UnsafeMutablePointer<HartState>
    ) -> TranslatedPage {
        let generation = state.pointee.blocks.generation
        if let known = pages[physical]?.page(at: virtual) {
            known.verify(generation)
            return known
        }
        let isRelative = pages[physical] != nil || state.pointee.translation.alwaysRelative
        let page = TranslatedPage(
            virtual: isRelative ? nil : virtual, physical: physical, source: source, generation: generation,
            scratch: scratch,
            watchedIn: state.pointee.codeWatch == nil ? nil : state.pointee.addressSpace.memory)
        pages[physical, default: PageTranslations()].insert(page)
        return page
    }

    /// The run loop's budget has ended before the block at `pc`, in standard code: a sample of where the time goes.
    func sample(_ state: UnsafeMutablePointer<HartState>) {
        let address = state.pointee.pc
        guard let physical = state.pointee.fetch.page(address),
            let page = pages[physical]?.page(at: address & ~0xFFF)
        else { return }
        let offset = Int(address & 0xFFF)
        page.verify(state.pointee.blocks.generation)
        guard page.entries[offset] != nil, !page.regional.contains(offset),
            page.addSample(offset) == state.pointee.translation.regionThreshold
        else { return }
        // Another page's code may go on being used: only this one's is looked at after room was made.
        if makeRoom(in: state) { return }
        makeRegion(in: page, from: offset)
    }

    private func makeRegion(in page: TranslatedPage, from offset: Int) {
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

    /// Forgets all code when there is not enough room for more, but not where the hot code was; true when it did.
    @discardableResult
    private func makeRoom(in state: UnsafeMutablePointer<HartState>) -> Bool {
        guard isFull else { return false }
        removeAll(state.pointee.translation.regionThreshold)
        state.pointee.knownCode.removeAll()
        state.pointee.flushInstructions()
        return true
    }

    private var isFull: Bool {
        let most = max(
            Self.batchLimit * Generator.maximumSize(steps: BlockLifter.maximumCount + 2),
            Generator.maximumRegionOverhead
                + Generator.maximumSize(steps: RegionLifter.sizeLimit + BlockLifter.maximumCount)
                + RegionLifter.blockLimit * Generator.maximumSize(steps: 2))
        return cache.capacity - generator.assembler.position < most
            || Self.entryCapacity - entryCount < max(Self.batchLimit, RegionLifter.blockLimit)
    }

    private func removeAll(_ regionThreshold: Int32) {
        for physical in pages.keys where pages[physical]?.removeCode(regionThreshold: regionThreshold) == false {
            pages[physical] = nil
        }
        generator.removeAll()
        entryCount = 0
    }

    private func install(_ blocks: [GuestBlock], in page: TranslatedPage) {
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
        for site in page.add(Int(block.address & 0xFFF), entry) { generator.assembler.link(site, to: position) }
    }

    private func makeEntry(code: UInt) -> OperationReference {
        let entry = entries + entryCount * Self.entrySize
        entryCount += 1
        entry.storeBytes(of: Operation(nativeEntry, bits: 3), as: Operation.self)
        entry.storeBytes(of: code, toByteOffset: MemoryLayout<Operation>.stride, as: UInt.self)
        return OperationReference(entry)
    }
}
