internal import Glibc
internal import HostSystem
internal import Synchronization

/// Makes regions on a thread of its own, while processors execute the code that regions replace.
final class RegionWorker: Sendable {
    private struct State {
        var requests: [RegionRequest] = []
        var isClosed = false
        var isWaitingForRoom = false
        /// The thread has taken a request that it has not asked for the next one after.
        var isBusy = false
        var thread: HostThread?
        /// The host has no thread for us.
        var isRefused = false
    }

    /// Requests beyond these are dropped: a hot block asks again.
    static let limit = 64

    private let state = Monitor(State())
    private let store: Monitor<TranslationStore>
    /// The thread waits until a processor has made room.
    let wantsRoom = Atomic<Bool>(false)

    init(_ store: Monitor<TranslationStore>) { self.store = store }

    /// Asks for a region. The thread starts with the first request; false when the host has none for it, now and later.
    func submit(_ request: RegionRequest) -> Bool {
        state.update { state in
            if state.thread == nil, !state.isRefused {
                state.thread = try? HostThread(name: "translator") { self.run() }
                state.isRefused = state.thread == nil
            }
            if state.isRefused { return false }
            if state.requests.count < Self.limit, !state.requests.contains(where: { $0.isSame(as: request) }) {
                state.requests.append(request)
            }
            return true
        }
    }

    /// The same for a region that was there before, if there is a thread.
    func submitAgain(_ request: RegionRequest) {
        let hasThread = state.withLock { $0.thread != nil }
        if hasThread { _ = submit(request) }
    }

    /// Goes on after there was no room.
    func resume() {
        state.update { state in
            state.isWaitingForRoom = false
            wantsRoom.store(false, ordering: .relaxed)
        }
    }

    /// Ends the thread.
    func close() {
        let thread = state.update { state in
            state.isClosed = true
            state.requests.removeAll()
            return state.thread
        }
        thread?.join()
    }

    private func run() {
        // Signals are for other threads, but for those of our own mistakes.
        var others = sigset_t()
        sigfillset(&others)
        for fault in [SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV] { sigdelset(&others, fault) }
        pthread_sigmask(SIG_BLOCK, &others, nil)
        while let request = next() {
            if make(request) { continue }
            state.update { state in
                if state.isClosed { return }
                state.requests.insert(request, at: 0)
                state.isWaitingForRoom = true
                wantsRoom.store(true, ordering: .relaxed)
            }
        }
    }

    /// The next request, when there is one; nil at the end.
    private func next() -> RegionRequest? {
        let next: RegionRequest?? = state.wait { state in
            state.isBusy = false
            if state.isClosed { return .some(nil) }
            if state.requests.isEmpty || state.isWaitingForRoom { return nil }
            state.isBusy = true
            return .some(state.requests.removeFirst())
        }
        return next ?? nil
    }

    /// Calls `body` unless the thread makes a region; it makes none meanwhile.
    func whileIdle(_ body: (TranslationStore) -> Void) {
        state.withLock { state in
            if !state.isBusy { store.withLock { body($0) } }
        }
    }

    /// False when there is no room.
    private func make(_ request: RegionRequest) -> Bool {
        guard let work = store.withLock({ $0.startRegion(request) }) else { return true }
        var step = RegionWork.Step.again
        while step == .again {
            work.generate()
            step = store.withLock { $0.finishRegion(work) }
        }
        return step == .done
    }
}
