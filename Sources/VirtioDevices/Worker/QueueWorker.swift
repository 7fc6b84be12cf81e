internal import HostSystem
internal import Synchronization
internal import Virtio

/// A thread on which a device serves some of its queues, and the rules for when it may.
///
/// The thread calls `serve` whenever there may be something to do, with the queues that are in use. Whoever pauses, resets
/// or stops waits until `serve` has returned; it looks at its `Turn` often enough for that to be soon.
final class QueueWorker: Sendable {
    /// What `serve` may know and do while it runs.
    struct Turn: Sendable {
        let session: VirtioSession
        fileprivate let queues: [VirtQueue?]
        fileprivate let worker: QueueWorker

        /// The queue with this index, when the driver has set it up.
        func queue(_ index: Int) -> VirtQueue? { queues[index] }

        /// True when `serve` must return after the request in hand. It is called again for the rest in due time.
        var mustYield: Bool { worker.interruption.load(ordering: .acquiring) != Interruption.none.rawValue }

        /// True when even the request in hand must be dropped: the driver has reset the device.
        var mustAbandon: Bool { worker.interruption.load(ordering: .acquiring) == Interruption.abandon.rawValue }
    }

    private enum Interruption: Int {
        case none, finish, abandon
    }

    private struct State {
        var session: VirtioSession?
        var queues: [VirtQueue?]
        var hasWork = false
        var isServing = false
        var isPaused = false
        var isEnding = false
        // How many callers wait for `serve` to return; while there are any, it is not called.
        var waiting = 0
    }

    private let name: String
    private let serve: @Sendable (Turn) throws(VirtQueueError) -> Void
    private let state: Monitor<State>
    // What the thread sleeps on: an event of the kernel's, so that a guest's notification wakes it without a way through
    // any other thread. `start` throws what making it threw.
    private let bell: Result<Doorbell, SystemError>
    private let interruption = Atomic(Interruption.none.rawValue)
    private let thread = Mutex<HostThread?>(nil)

    /// - Parameters:
    ///   - queueCount: the device's number of queues; `Turn.queue` knows those that `startQueue` named.
    ///   - serve: does what there is to do, in one go, until nothing is left or `mustYield`.
    init(name: String, queueCount: Int, serve: @escaping @Sendable (Turn) throws(VirtQueueError) -> Void) {
        self.name = name
        self.serve = serve
        state = Monitor(State(queues: Array(repeating: nil, count: queueCount)))
        bell = Result { () throws(SystemError) in try Doorbell() }
    }

    // MARK: Lifecycle

    /// Starts the thread.
    func start() throws(SystemError) {
        let bell = try bell.get()
        // The thread keeps the worker alive until `stop`.
        let thread = try HostThread(name: name) { self.run(bell) }
        self.thread.withLock { $0 = thread }
    }

    /// Ends the thread after the request in hand. Once, last; nothing happens when it never started.
    func stop() {
        interrupt(.finish) { $0.isEnding = true }
        let thread = self.thread.withLock { thread in
            defer { thread = nil }
            return thread
        }
        thread?.join()
    }

    /// Returns when the request in hand is finished; the next is left for `resume`.
    func pause() {
        interrupt(.finish) { $0.isPaused = true }
    }

    func resume() {
        state.withLock { $0.isPaused = false }
        wake()
    }

    // MARK: The driver's doing

    func activate(_ session: VirtioSession) {
        state.withLock { $0.session = session }
        wake()
    }

    func startQueue(_ queue: VirtQueue) {
        state.withLock { $0.queues[queue.index] = queue }
        wake()
    }

    func stopQueue(_ index: Int) {
        interrupt(.abandon) { $0.queues[index] = nil }
    }

    /// Forgets session and queues; returns when they are not touched any more.
    func reset() {
        interrupt(.abandon) { state in
            state.session = nil
            for index in state.queues.indices { state.queues[index] = nil }
        }
    }

    /// There may be something to do. Any thread.
    func wake() { doorbell?.ring() }

    /// What wakes the thread; nil when the host had none left, so that `start` fails.
    var doorbell: Doorbell? { try? bell.get() }

    /// Waits until `serve` does not run and makes `change` before it runs again.
    private func interrupt(_ kind: Interruption, _ change: (inout State) -> Void) {
        state.withLock { state in
            state.waiting += 1
            // An abandoned request stays abandoned when another caller would only have it finished.
            if state.isServing { interruption.max(kind.rawValue, ordering: .acquiringAndReleasing) }
        }
        _ = state.wait { $0.isServing ? nil : () }
        state.update { state in
            state.waiting -= 1
            change(&state)
        }
        // The thread looks again at what it was kept from.
        wake()
    }

    // MARK: The thread

    private func run(_ bell: Doorbell) {
        while let turn = nextTurn(bell) {
            var broken = false
            do {
                try serve(turn)
            } catch {
                broken = true
                turn.session.signals.signalNeedsReset(error)
            }
            state.update { state in
                state.isServing = false
                // What `serve` was kept from looking at is looked at when it may run again.
                if interruption.exchange(Interruption.none.rawValue, ordering: .acquiringAndReleasing)
                    != Interruption.none.rawValue
                {
                    state.hasWork = true
                }
                if broken { state.session = nil }
            }
        }
    }

    /// Waits for something to do; nil when the thread is to end.
    private func nextTurn(_ bell: Doorbell) -> Turn? {
        while true {
            let next = state.withLock { state -> Turn?? in
                if state.isEnding { return .some(nil) }
                guard state.hasWork, !state.isPaused, state.waiting == 0, let session = state.session else {
                    return nil
                }
                state.hasWork = false
                state.isServing = true
                return Turn(session: session, queues: state.queues, worker: self)
            }
            if let next { return next }
            bell.wait()
            state.withLock { $0.hasWork = true }
        }
    }
}
