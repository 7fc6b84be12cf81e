package import GuestMemory
package import HostSystem
package import Synchronization
package import Translator

/// Translates the hot code of a machine's processors, which share all of it, and finds translated code.
///
/// Code starts in the front end's interpreter; a block that has run `TranslationState.threshold` times on a processor is translated
/// together with the blocks of its page that it jumps to. That is the baseline tier. The optimized tier is *regions*: blocks that
/// run most, compiled as a whole on another thread; processors only ask for them.
///
/// When there is no room for more, one processor removes some code. It first sees to it that no processor executes any or knows
/// where some is: while it does, nothing is found, so that the others go on in the interpreter.
package final class TranslationEngine: Sendable {
    let store: Monitor<TranslationStore>
    let worker: RegionWorker
    private let processors: [Processor]

    /// The number of generations begun, and 1.
    private let generation = Atomic<UInt64>(1)
    /// How often some code was removed, or began to be.
    let removals = Atomic<UInt64>(0)
    /// A processor was told to make room. Changes with the lock held.
    private let isFull = Atomic<Bool>(false)

    private struct Processor: Sendable {
        // The processor owns this engine.
        unowned let reference: any TranslatedProcessor
    }

    package enum Result {
        case code(CodeEntry)
        /// The block is not for generated code.
        case never
        /// There is no room now.
        case later
    }

    /// - Parameters:
    ///   - processors: that share the code; at least one. They own the engine.
    ///   - layout: of the processors' states.
    ///   - entryRecord: 24 bytes by which the front end's interpreter enters generated code, see `CodeEntry`. The first eight are
    ///     those of no helper's record.
    ///   - memory: the guest's.
    ///   - trace: gets all that is made.
    package init(
        _ processors: [any TranslatedProcessor], _ frontEnd: any GuestFrontEnd, layout: StateLayout,
        entryRecord: HelperRecord, memory: GuestMemory, _ options: TranslationOptions, trace: TranslationTrace?
    ) throws(TranslationError) {
        precondition(!processors.isEmpty, "a machine has a processor")
        store = Monitor(
            try TranslationStore(
                frontEnd, layout: layout, entryRecord: entryRecord, memory: memory, options,
                isAlone: processors.count == 1, trace: trace))
        worker = RegionWorker(store)
        self.processors = processors.map { Processor(reference: $0) }
    }

    deinit { worker.close() }

    /// The work done so far.
    package var counts: TranslationCounts { store.withLock { $0.counts } }

    /// Lets a processor translate.
    ///
    /// - Parameters:
    ///   - number: of the processor, for traces.
    ///   - attention: set to 1 to get the processor out of guest code; it outlives the state.
    package func connect(
        _ state: inout TranslationState, number: Int, attention: UnsafePointer<Atomic<UInt32>>
    ) {
        store.withLock { $0.connect(&state) }
        state.generation = generation.load(ordering: .relaxed)
        state.number = number
        state.attention = attention
        state.engine = self
    }

    /// Begins a generation: code that is found in it agrees with guest memory as it is now, or later.
    func startGeneration() -> UInt64 { generation.add(1, ordering: .sequentiallyConsistent).newValue }

    /// Compares a page with guest memory if that was not done since a generation began.
    private func verify(_ page: TranslatedPage, _ generation: UInt64) {
        page.verify(generation, present: self.generation.load(ordering: .sequentiallyConsistent))
    }

    /// How often a page's code was forgotten, up to the last change that a generation has to see.
    func epoch(of page: TranslatedPage, generation: UInt64) -> Int {
        store.withLock { _ in
            verify(page, generation)
            return page.epoch
        }
    }

    /// The entry of the translated block at an address, and the page that it is in with its epoch.
    func find(
        _ address: UInt64, physical: UInt64, generation: UInt64
    ) -> (entry: CodeEntry, page: TranslatedPage, epoch: Int)? {
        store.withLock { store in
            guard !store.isRemoving,
                let page = store.page(at: address & ~0xFFF, physical: physical & ~0xFFF, generation)
            else {
                return nil
            }
            verify(page, generation)
            return store.entry(Int(address & 0xFFF), of: page).map { ($0.record, page, page.epoch) }
        }
    }

    /// Translates the block at an address and those it leads to.
    ///
    /// - Parameters:
    ///   - source: the page in guest memory.
    ///   - memory: where the page is watched while code is fetched from it, if it is.
    ///   - next: the guest-physical page that follows in virtual memory, if it is known.
    package func translate(
        _ address: UInt64, physical: UInt64, source: UnsafeRawPointer, watchedIn memory: GuestMemory?,
        next: UInt64? = nil, in state: inout TranslationState
    ) -> Result {
        let attention = state.attention
        return store.withLock { store in
            if store.isRemoving { return .later }
            let page = store.makePage(
                at: address & ~0xFFF, physical: physical & ~0xFFF, source: source,
                present: generation.load(ordering: .sequentiallyConsistent), watchedIn: memory)
            verify(page, state.generation)
            switch store.translate(Int(address & 0xFFF), of: page, next: next, for: state.number) {
            case .code(let entry): return .code(entry)
            case .never: return .never
            case .noRoom:
                askForRoom(attention)
                return .later
            }
        }
    }

    /// The run loop's budget has ended before the block at an address, in baseline code: a sample of where the time goes.
    ///
    /// - Parameters:
    ///   - physical: the guest-physical page of the address; nil where that is not known.
    ///   - next: the page that follows in virtual memory; nil where that is not known.
    package func sample(
        _ address: UInt64, physical: UInt64?, next: UInt64? = nil, in state: inout TranslationState
    ) {
        // Code that needs nothing new leaves guest code for nothing else.
        lookAfterWorker(in: &state)
        guard let physical else { return }
        let attention = state.attention
        let request: RegionRequest? = store.withLock { store in
            guard !store.isRemoving,
                let page = store.page(at: address & ~0xFFF, physical: physical, state.generation)
            else { return nil }
            verify(page, state.generation)
            return store.sample(Int(address & 0xFFF), of: page, next: next, for: state.number)
        }
        guard let request, !worker.submit(request) else { return }
        store.withLock { store in
            if !store.isRemoving, !store.makeRegion(request) { askForRoom(attention) }
        }
    }

    // MARK: Saved code

    /// Takes over the code that a saved machine had, from a file of `save`. Before the first processor runs. Code is used only in pages that
    /// have the contents for which it was generated; without the file's, everything is translated anew.
    ///
    /// The file's code executes: nobody may be able to write the file who may not execute code here.
    ///
    /// - Parameters:
    ///   - file: stays the caller's. It must not change while the engine exists.
    ///   - isForBoot: the file is of another machine, and this one boots the same guest.
    /// - Returns: false when the code is not for this program, processor and size of the code cache, or the file is damaged.
    package func adopt(_ file: borrowing FileDescriptor, isForBoot: Bool = false) -> Bool {
        store.withLock { $0.adopt(file, isForBoot: isForBoot) }
    }

    /// Whether what regions of other pages were made from in a page still agrees with it.
    ///
    /// - Parameter number: of the page in guest memory.
    package func continuationsAgree(into number: Int) -> Bool {
        store.withLock { $0.continuationsAgree(into: number) }
    }

    /// Writes the code into an empty file. Processors may execute it, and translate no more meanwhile.
    ///
    /// - Parameter isShared: nobody changes the file afterwards, and `sharedFile` may have it.
    /// - Returns: false when there is nothing to save now; the file is empty then.
    package func save(to file: borrowing FileDescriptor, isShared: Bool = false) throws(SystemError) -> Bool {
        let result = store.withLock { store in
            Swift.Result { () throws(SystemError) in
                let isSaved = try store.save(to: file)
                if isSaved, isShared { store.share(file) }
                return isSaved
            }
        }
        return try result.get()
    }

    /// A file of `adopt` or `save` that has nearly all of the code; nil when there is none such.
    package func sharedFile() throws(SystemError) -> FileDescriptor? {
        let box = store.withLock { store in
            Swift.Result { () throws(SystemError) in try store.sharedFile()?.release() }
        }
        return try box.get().map { FileDescriptor(owning: $0) }
    }

    /// Stores code in a file before it is removed (`trim`), for later copies of the machine: `save` writes what is in there. Before the first
    /// processor runs.
    ///
    /// - Parameter file: empty, and used by nobody else.
    package func store(in file: consuming FileDescriptor) {
        let storage = CodeStorage(file)
        store.withLock { $0.storage = storage }
    }

    // MARK: Trimming

    /// Prepares `trim`. Processors may run, and translate no more meanwhile.
    package func prepareTrim() {
        store.withLock { store in store.storage?.store(store) }
    }

    /// Removes all code, and gives its memory back. No processor runs; each calls `TranslationState.trim` before it runs again.
    package func trim() {
        worker.whileIdle { store in store.trimRegionBuilder() }
        store.withLock { $0.removeAll() }
        isFull.store(false, ordering: .relaxed)
        worker.resume()
    }

    // MARK: Room

    /// With the lock held.
    private func askForRoom(_ attention: UnsafePointer<Atomic<UInt32>>?) {
        isFull.store(true, ordering: .relaxed)
        // The processor leaves guest code, and comes to `makeRoomIfFull`.
        attention?.pointee.store(1, ordering: .relaxed)
    }

    /// Between blocks: gets a processor out of guest code if the worker waits for room.
    package func lookAfterWorker(in state: inout TranslationState) {
        if worker.wantsRoom.load(ordering: .relaxed) { state.attention?.pointee.store(1, ordering: .relaxed) }
    }

    /// Removes some code if there was no room for more. Before it enters guest code again, the processor calls
    /// `TranslationState.forgetRemovedCode`, as all others do when they have been asked to.
    ///
    /// - Parameter processor: the calling thread's, which is not in guest code as far as `waitForCodeFence` tells.
    package func makeRoomIfFull(for processor: any TranslatedProcessor) {
        guard isFull.load(ordering: .relaxed) || worker.wantsRoom.load(ordering: .relaxed) else { return }
        let isMine = store.withLock { store in
            if store.isRemoving { return false }
            isFull.store(false, ordering: .relaxed)
            store.isRemoving = store.lacksRoom
            // Another processor has made room since the worker began to wait.
            if !store.lacksRoom { worker.resume() }
            return store.lacksRoom
        }
        guard isMine else { return }
        removals.add(1, ordering: .sequentiallyConsistent)
        fence(allBut: processor)
        let lost = store.withLock { store in
            isFull.store(false, ordering: .relaxed)
            return store.makeRoom()
        }
        worker.resume()
        for request in lost { worker.submitAgain(request) }
    }

    /// Waits until all other processors have left generated code and forgotten where removed code was.
    private func fence(allBut processor: any TranslatedProcessor) {
        let others = processors.map(\.reference).filter { $0 !== processor }
        let requests = others.map { ($0, $0.requestCodeFence()) }
        for (other, request) in requests { other.waitForCodeFence(request) }
    }
}
