internal import HostSystem
internal import Machine
internal import Synchronization

/// Translates the hot code of a machine's harts, which share what is made, and finds what is translated.
///
/// Code starts in the interpreter; a block that has run `TranslationState.threshold` times on a hart is translated together with
/// the blocks of its page that it jumps to.
///
/// What runs most becomes regions on another thread; harts only ask for them.
///
/// When there is no room for more, one hart removes some code. It first sees to it that no hart executes any or knows where some
/// is: while it does, nothing is found, so that the others go on in the interpreter.
final class TranslationEngine: Sendable {
    private let store: Monitor<TranslationStore>
    let worker: RegionWorker
    private let harts: [HartOfMachine]

    /// FENCE.I instructions so far, and 1.
    private let generation = Atomic<UInt64>(1)
    /// How often some code was removed, or began to be.
    let removals = Atomic<UInt64>(0)
    /// A hart was told to make room. Changes with the lock held.
    private let isFull = Atomic<Bool>(false)

    private struct HartOfMachine: Sendable {
        // The hart owns this engine.
        unowned let hart: Hart
    }

    enum Result {
        case code(OperationReference)
        /// The block is not for generated code.
        case never
        /// There is no room now.
        case later
    }

    init(_ harts: [Hart], _ options: TranslationOptions, trace: TranslationTrace?) throws(TranslationError) {
        precondition(!harts.isEmpty, "a machine has a hart")
        store = Monitor(try TranslationStore(for: harts[0].state, options, trace: trace))
        worker = RegionWorker(store)
        self.harts = harts.map { HartOfMachine(hart: $0) }
    }

    deinit { worker.close() }

    /// What was done so far.
    var counts: TranslationCounts { store.withLock { $0.counts } }

    /// Lets a hart translate.
    func connect(to state: UnsafeMutablePointer<HartState>) {
        store.withLock { $0.connect(to: state) }
        state.pointee.codeGeneration = generation.load(ordering: .relaxed)
        state.pointee.translator = self
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
    ) -> (entry: OperationReference, page: TranslatedPage, epoch: Int)? {
        store.withLock { store in
            guard !store.isRemoving, let page = store.page(at: address & ~0xFFF, physical: physical & ~0xFFF) else {
                return nil
            }
            verify(page, generation)
            return page.entries[Int(address & 0xFFF)].map { ($0.operation, page, page.epoch) }
        }
    }

    /// The host address of an entry's code.
    static func code(of entry: OperationReference) -> UInt {
        entry.load(fromByteOffset: MemoryLayout<Operation>.stride, as: UInt.self)
    }

    /// Translates the block at an address and those it leads to.
    ///
    /// - Parameter source: the page in guest memory.
    func translate(
        _ address: UInt64, physical: UInt64, source: UnsafeRawPointer, in state: UnsafeMutablePointer<HartState>
    ) -> Result {
        store.withLock { store in
            if store.isRemoving { return .later }
            let page = store.makePage(
                at: address & ~0xFFF, physical: physical & ~0xFFF, source: source,
                present: generation.load(ordering: .sequentiallyConsistent),
                watchedIn: state.pointee.codeWatch == nil ? nil : state.pointee.addressSpace.memory)
            verify(page, state.pointee.codeGeneration)
            switch store.translate(Int(address & 0xFFF), of: page, for: state.pointee.index) {
            case .code(let entry): return .code(entry)
            case .never: return .never
            case .noRoom:
                askForRoom(state.pointee.signals)
                return .later
            }
        }
    }

    /// The run loop's budget has ended before the block at `pc`, in standard code: a sample of where the time goes.
    func sample(_ state: UnsafeMutablePointer<HartState>) {
        // Code that needs nothing new leaves guest code for nothing else.
        lookAfterWorker(state.pointee.signals)
        let address = state.pointee.pc
        guard let physical = state.pointee.fetch.page(address) else { return }
        let request: RegionRequest? = store.withLock { store in
            guard !store.isRemoving,
                let page = store.page(at: address & ~0xFFF, physical: physical)
            else { return nil }
            verify(page, state.pointee.codeGeneration)
            return store.sample(Int(address & 0xFFF), of: page, for: state.pointee.index)
        }
        guard let request, !worker.submit(request) else { return }
        store.withLock { store in
            if !store.isRemoving, !store.makeRegion(request) { askForRoom(state.pointee.signals) }
        }
    }

    // MARK: Room

    /// With the lock held.
    private func askForRoom(_ signals: UnsafePointer<HartSignals>) {
        isFull.store(true, ordering: .relaxed)
        // The hart leaves guest code, and comes to `makeRoomIfFull`.
        signals.pointee.attention.store(1, ordering: .relaxed)
    }

    /// Between blocks: gets a hart out of guest code if the worker waits for room.
    func lookAfterWorker(_ signals: UnsafePointer<HartSignals>) {
        if worker.wantsRoom.load(ordering: .relaxed) { signals.pointee.attention.store(1, ordering: .relaxed) }
    }

    /// Removes some code if there was no room for more.
    ///
    /// - Parameter hart: the calling thread's, which is not in guest code as far as `HartSignals.inGuest` tells.
    func makeRoomIfFull(for hart: Hart) {
        guard isFull.load(ordering: .relaxed) || worker.wantsRoom.load(ordering: .relaxed) else { return }
        let isMine = store.withLock { store in
            if store.isRemoving { return false }
            isFull.store(false, ordering: .relaxed)
            store.isRemoving = store.lacksRoom
            // Another hart has made room since the worker began to wait.
            if !store.lacksRoom { worker.resume() }
            return store.lacksRoom
        }
        guard isMine else { return }
        removals.add(1, ordering: .sequentiallyConsistent)
        let others = harts.filter { $0.hart !== hart }.map { ($0.hart, $0.hart.requestFence(.instructions)) }
        for (other, request) in others { other.waitForFence(request) }
        let lost = store.withLock { store in
            isFull.store(false, ordering: .relaxed)
            return store.makeRoom()
        }
        worker.resume()
        for request in lost { worker.submitAgain(request) }
    }
}

extension HartState {
    /// Forgets what it knows of code if that was removed. Between runs of guest code.
    mutating func forgetRemovedCode() {
        guard let removals = translator?.removals.load(ordering: .sequentiallyConsistent), removals != seenRemovals
        else {
            return
        }
        seenRemovals = removals
        translation.noteRemoval(at: retired)
        knownCode.removeAll()
        flushInstructions()
    }
}
