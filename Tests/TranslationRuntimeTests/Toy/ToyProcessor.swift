import GuestMemory
import HostSystem
import Synchronization
import TranslationRuntime
import Translator

/// A processor of the toy with its run loop.
final class ToyProcessor: WatchingProcessor, @unchecked Sendable {
    // @unchecked: `state` is only touched by the thread in `run`, or by the owner while there is none; the rest consists of
    // atomics and locks, or never changes after composition.

    let state: UnsafeMutablePointer<ToyState>
    private let attention: UnsafeMutablePointer<Atomic<UInt32>>
    private let inGuest = Atomic<Bool>(false)
    private let requested = Atomic<UInt64>(0)
    private let done = Atomic<UInt64>(0)
    /// Pages of `requestStoreFence`.
    private let pages = Mutex<[Int]>([])
    private let isStopping = Atomic<Bool>(false)
    /// Nil where stores to code are not noticed.
    var watch: MachineCodeWatch?
    /// How often a block that is not translated was met, by its guest-physical address.
    private var counts: [UInt64: Int32] = [:]

    /// Instructions after which generated code leaves.
    private static let interval: UInt64 = 400

    init(_ memory: GuestMemory) {
        attention = .allocate(capacity: 1)
        attention.initialize(to: Atomic(0))
        state = .allocate(capacity: 1)
        state.initialize(to: ToyState(memory))
    }

    deinit {
        state.deinitialize(count: 1)
        state.deallocate()
        attention.deinitialize(count: 1)
        attention.deallocate()
    }

    var translation: UnsafeMutablePointer<TranslationState> {
        withUnsafeMutablePointer(to: &state.pointee.translation) { $0 }
    }

    func connect(to engine: TranslationEngine, number: Int, threshold: Int32) {
        state.pointee.translation.setThreshold(threshold)
        engine.connect(&state.pointee.translation, number: number, attention: UnsafePointer(attention))
    }

    // MARK: Requests of other threads

    func stop() {
        isStopping.store(true, ordering: .sequentiallyConsistent)
        attention.pointee.store(1, ordering: .sequentiallyConsistent)
    }

    func requestCodeFence() -> UInt64 {
        let request = requested.add(1, ordering: .sequentiallyConsistent).newValue
        attention.pointee.store(1, ordering: .sequentiallyConsistent)
        return request
    }

    func requestStoreFence(to page: Int) -> UInt64 {
        pages.withLock { $0.append(page) }
        return requestCodeFence()
    }

    func waitForCodeFence(_ request: UInt64) {
        while inGuest.load(ordering: .sequentiallyConsistent), done.load(ordering: .sequentiallyConsistent) < request {
            yieldProcessor()
        }
    }

    private func serve() {
        attention.pointee.store(0, ordering: .sequentiallyConsistent)
        forgetRemovedCode()
        let request = requested.load(ordering: .sequentiallyConsistent)
        if request == done.load(ordering: .relaxed) { return }
        // Who asks may have begun to remove code since.
        forgetRemovedCode()
        let pages = pages.withLock { pages in
            defer { pages = [] }
            return pages
        }
        for page in pages { state.pointee.codeWatch.forbidStores(to: page, &state.pointee.data) }
        synchronize()
        done.store(request, ordering: .sequentiallyConsistent)
    }

    private func forgetRemovedCode() {
        if state.pointee.translation.forgetRemovedCode(at: state.pointee.retired) { forgetJumps() }
    }

    private func synchronize() {
        state.pointee.translation.startGeneration()
        forgetJumps()
    }

    private func forgetJumps() {
        state.pointee.fetch.clearAll()
        state.pointee.fetch.select(0)
    }

    // MARK: The run loop

    /// Runs until there is a fault, such as a halt, or `stop`.
    func run() {
        while true {
            state.pointee.translation.engine?.makeRoomIfFull(for: self)
            finishWaiting()
            inGuest.store(true, ordering: .sequentiallyConsistent)
            serve()
            let ends = state.pointee.fault != nil || isStopping.load(ordering: .relaxed)
            if !ends { runGuest() }
            inGuest.store(false, ordering: .sequentiallyConsistent)
            if ends { return }
        }
    }

    /// Does what guest code has left for a time outside of it.
    private func finishWaiting() {
        if let page = state.pointee.waitingWatch {
            state.pointee.waitingWatch = nil
            watch?.watch(page, for: self)
            state.pointee.codeWatch.forbidStores(to: page, &state.pointee.data)
            synchronize()
        }
        if state.pointee.waitingStore {
            state.pointee.waitingStore = false
            state.pointee.storesThrough = true
            _ = state.pointee.step()
            state.pointee.storesThrough = false
            watch?.announceStore(for: self)
            synchronize()
        }
    }

    private var isWaiting: Bool {
        state.pointee.fault != nil || state.pointee.waitingStore || state.pointee.waitingWatch != nil
            || attention.pointee.load(ordering: .relaxed) != 0
    }

    private func runGuest() {
        while !isWaiting {
            if let entry = findCode() {
                enter(entry)
            } else if !isWaiting {
                interpretBlock()
            }
        }
    }

    /// Up to the next jump.
    private func interpretBlock() {
        for _ in 0..<48 where !isWaiting {
            let pc = state.pointee.pc
            guard state.pointee.step() else { return }
            if state.pointee.pc &- pc > 6 || state.pointee.pc == pc { return }
        }
    }

    private func enter(_ entry: CodeEntry) {
        guard let enterCode = state.pointee.translation.enter else { return }
        if state.pointee.retired + Self.interval / 2 >= state.pointee.pollAt { renewBudget() }
        state.pointee.blockAddress = state.pointee.pc
        _ = enterCode(UnsafeMutableRawPointer(state), entry.entryCode)
        switch ExitReason(rawValue: state.pointee.translation.exitReason) {
        case .limit:
            let pc = state.pointee.pc
            state.pointee.translation.engine?.sample(
                pc, physical: state.pointee.fetch.page(pc), in: &state.pointee.translation)
            renewBudget()
        case .regionLimit:
            state.pointee.translation.engine?.lookAfterWorker(in: &state.pointee.translation)
            renewBudget()
        case .interpret: _ = state.pointee.step()
        // Faults and waiting stores are in the state.
        case .jump, .fault, .helper, nil: break
        }
    }

    private func renewBudget() { state.pointee.pollAt = state.pointee.retired + Self.interval }

    // MARK: Code

    private func findCode() -> CodeEntry? {
        let pc = state.pointee.pc
        guard state.pointee.translation.engine != nil, let physical = state.pointee.physical(pc) else { return nil }
        let entry = state.pointee.fetch.entry(pc)
        if entry.pointee.address == pc, entry.pointee.tag == state.pointee.fetch.tag { return entry.pointee.operations }
        let source = state.pointee.memoryBase + Int(physical & ~0xFFF)
        if watch != nil, !state.pointee.codeWatch.isWatched(source) {
            state.pointee.waitingWatch = state.pointee.codeWatch.number(source)
            return nil
        }
        state.pointee.fetch.insert(pc, physical: physical & ~0xFFF, size: 4096, isGlobal: true)
        guard let code = state.pointee.translation.find(pc, physical: physical) ?? translate(pc, physical, source)
        else { return nil }
        entry.pointee = JumpCache.Entry(
            address: pc, tag: state.pointee.fetch.tag, operations: code, code: code.entryCode)
        return code
    }

    private func translate(_ pc: UInt64, _ physical: UInt64, _ source: UnsafeMutableRawPointer) -> CodeEntry? {
        counts[physical, default: 0] += 1
        guard counts[physical] ?? 0 >= state.pointee.translation.threshold else { return nil }
        counts[physical] = 0
        let result = state.pointee.translation.engine?.translate(
            pc, physical: physical, source: source, watchedIn: watch == nil ? nil : state.pointee.memory,
            in: &state.pointee.translation)
        if case .code(let entry) = result { return entry }
        return nil
    }
}
