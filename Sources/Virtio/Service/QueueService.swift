internal import GuestMemory
package import HostSystem
internal import Synchronization

/// Has a device serve its queues on the event loop of its machine, and keeps the rules for when it may.
///
/// Every call of the device's code that touches queues or their buffers happens on the loop's thread, where nothing may block.
/// A notification signals an eventfd that the loop watches, or the vCPU that notifies visits the loop. The device takes requests off a queue as long as there are any; those
/// that wait for the host are in flight until the device says `finish`. What a request leads to reaches the driver only if its
/// queue was not stopped in between.
package final class QueueService: @unchecked Sendable {
    // @unchecked: everything that changes, besides atomics, is touched on the loop's thread while the service runs. Before
    // `start` and after `stop` it belongs to the one thread that composes the machine.

    private struct Slot {
        var queue: VirtQueue?
        // Another one for each time that the driver stops the queue.
        var generation: UInt64 = 0
        var inFlight = 0
        // Requests that were taken since the device was last asked to serve one.
        var takenCount = 0
        // Requests were completed that the driver was not told of.
        var isUnsignalled = false
        // The rest of a long queue is served after other handlers of the loop: a notification adds nothing.
        var isContinuing = false
    }

    private struct Waiter {
        /// nil waits for all queues.
        let queue: Int?
        let body: @Sendable () -> Void
    }

    /// Requests of a queue before other handlers of the loop have their turn.
    private static let requestsAtOnce = 256
    /// Requests that a vCPU serves itself before it goes on with the guest.
    private static let requestsAtVisit = 8

    package let loop: EventLoop
    private let name: String
    private let device: any VirtioDevice
    private let memory: GuestMemory
    private let signals: any VirtioSignals
    private let log: Log
    private let notifiers: Result<[EventNotifier], SystemError>
    private let isRunning = Atomic(false)
    private let isAwake = Atomic(false)

    private var session: VirtioSession?
    private var slots: [Slot]
    private var isPaused = false
    private var isSettling = false
    private var waiters: [Waiter] = []
    private var sources: [EventSource] = []

    init(
        name: String, device: any VirtioDevice, memory: GuestMemory, signals: any VirtioSignals, loop: EventLoop,
        log: Log
    ) {
        self.name = name
        self.device = device
        self.memory = memory
        self.signals = signals
        self.loop = loop
        self.log = log
        let count = device.queueSizes.count
        slots = Array(repeating: Slot(), count: count)
        notifiers = Result { () throws(SystemError) in
            var notifiers: [EventNotifier] = []
            for _ in 0..<count { notifiers.append(try EventNotifier()) }
            return notifiers
        }
    }

    /// The event notifier of a queue; nil when the host had no descriptor left, so that `start` fails.
    func notifier(_ index: Int) -> EventNotifier? { (try? notifiers.get())?[index] }

    /// The driver notified a queue. Any thread that holds no lock; it does not wait for the host.
    func notify(_ index: Int) {
        // `sources` does not change while vCPUs run.
        if device.servesNotifier, sources.indices.contains(index), sources[index].visit() { return }
        notifier(index)?.notify()
    }

    // MARK: Lifecycle: the thread that composes the machine

    func start() throws {
        let notifiers = try notifiers.get()
        try device.start(self)
        do {
            for (index, notifier) in notifiers.enumerated() {
                sources.append(try notifier.watch(on: loop) { [self] in serve(index) })
            }
        } catch {
            sources = []
            device.stop()
            throw error
        }
        isRunning.store(true, ordering: .releasing)
        // A restored device goes on by itself.
        loop.async { [self] in attend() }
    }

    /// Returns when every request that was taken is finished; no further one is taken until `resume`.
    func pause() {
        guard isRunning.load(ordering: .acquiring) else { return }
        let done = Completion()
        loop.async { [self] in
            isPaused = true
            whenIdle(nil) { done.signal() }
        }
        done.wait()
    }

    func resume() {
        onLoop { [self] in
            isPaused = false
            attend()
        }
    }

    /// Cancels what is in flight and ends the device's work.
    func stop() {
        if isRunning.load(ordering: .acquiring) {
            let done = Completion()
            reset { done.signal() }
            done.wait()
            for source in sources { source.cancel() }
            sources = []
            isRunning.store(false, ordering: .releasing)
        }
        device.stop()
    }

    // MARK: The driver's doing: any thread, without waiting

    func activate(features: UInt64, queues: [VirtQueue]) {
        onLoop { [self] in
            let session = VirtioSession(features: features, memory: memory, signals: signals)
            self.session = session
            for queue in queues { put(queue) }
            device.activate(session)
            attend()
        }
    }

    func startQueue(_ queue: VirtQueue) {
        onLoop { [self] in
            put(queue)
            serve(queue.index)
        }
    }

    /// What is in flight of an earlier queue in this place is not the new one's.
    private func put(_ queue: VirtQueue) {
        slots[queue.index].queue = queue
        slots[queue.index].generation += 1
    }

    /// Cancels host I/O in flight, whose results nobody needs any more, so that `pause` and `stop` return soon.
    func abandon() {
        guard isRunning.load(ordering: .acquiring) else { return }
        loop.async { [self] in
            session = nil
            for index in slots.indices { drop(index) }
        }
    }

    /// Lets go of a queue. `completion` runs when neither the queue nor buffers of it are touched any more, which takes as
    /// long as the host's I/O that cannot be cancelled.
    func stopQueue(_ index: Int, completion: @escaping @Sendable () -> Void) {
        onLoop { [self] in
            drop(index)
            whenIdle(index, completion)
        }
    }

    /// Lets go of everything, and gives the device the state of power-on. `completion` as for `stopQueue`.
    func reset(completion: @escaping @Sendable () -> Void) {
        onLoop { [self] in
            session = nil
            for index in slots.indices { drop(index) }
            device.reset()
            whenIdle(nil, completion)
        }
    }

    private func onLoop(_ body: @escaping @Sendable () -> Void) {
        if isRunning.load(ordering: .acquiring) { loop.async(body) } else { body() }
    }

    private func drop(_ index: Int) {
        slots[index].queue = nil
        slots[index].generation += 1
        slots[index].isUnsignalled = false
        device.abandon(queue: index)
    }

    /// The driver broke a rule: it is told to reset the device. Any thread.
    func report(_ reason: VirtQueueError) {
        log.note(.warning, name, cause: reason.cause, "the driver has to reset the device: \(reason)")
        signals.signalNeedsReset(reason)
    }

    // MARK: The device's doing

    /// Has the device look at everything again. Any thread; it never waits.
    package func wake() {
        guard !isAwake.exchange(true, ordering: .acquiringAndReleasing) else { return }
        onLoop { [self] in
            _ = isAwake.exchange(false, ordering: .acquiringAndReleasing)
            attend()
        }
    }

    /// Has the device serve one queue now. On the loop's thread, from a handler of the device's own.
    package func look(at index: Int) { serve(index) }

    /// Has the device serve one queue after the handlers that wait. On the loop's thread.
    package func lookLater(at index: Int) { loop.async { [self] in serve(index) } }

    /// The size of a queue as the driver has chosen it.
    package func size(of index: Int) -> Int { Int(slots[index].queue?.layout.size ?? 0) }

    /// Takes another request off the queue whose request the device serves, for a result that needs several; nil if the driver has made
    /// no more available. Only from `VirtioDevice.serve`.
    package func takeNext(_ request: TakenRequest) throws(VirtQueueError) -> TakenRequest? {
        guard let queue = slots[request.queue].queue, let chain = try queue.pop() else { return nil }
        slots[request.queue].takenCount += 1
        return TakenRequest(chain: chain, queue: request.queue, generation: request.generation)
    }

    /// Finishes a request that was `pending`. On the loop's thread, once for each.
    ///
    /// - Parameter result: writes the last of the result to guest memory, and returns how many bytes of the writable buffers
    ///   were written. It is not called when the driver has stopped the queue.
    package func finish(_ request: TakenRequest, _ result: () -> Int) {
        slots[request.queue].inFlight -= 1
        if let queue = slots[request.queue].queue, slots[request.queue].generation == request.generation {
            complete(request.chain, of: queue, written: result())
        }
        settleLater()
    }

    // MARK: The loop's thread

    private var mayServe: Bool { isRunning.load(ordering: .acquiring) && !isPaused }

    private func attend() {
        guard mayServe, let session else { return }
        device.awaken(session)
        for index in slots.indices { serve(index) }
    }

    private func serve(_ index: Int) {
        guard mayServe, !slots[index].isContinuing, let session, let queue = slots[index].queue else { return }
        do {
            try serve(queue, session)
        } catch {
            fail(error)
        }
    }

    private func serve(_ queue: VirtQueue, _ session: VirtioSession) throws(VirtQueueError) {
        var budget = loop.isVisited ? Self.requestsAtVisit : Self.requestsAtOnce
        repeat {
            try queue.disableNotifications()
            while self.session != nil, let chain = try queue.pop() {
                let request = TakenRequest(
                    chain: chain, queue: queue.index, generation: slots[queue.index].generation)
                slots[queue.index].takenCount = 1
                switch try device.serve(request, session) {
                case .done(let written):
                    complete(chain, of: queue, written: written)
                    settleLater()
                case .doneTogether(let requests):
                    try queue.complete(requests)
                    slots[queue.index].isUnsignalled = true
                    settleLater()
                case .pending: slots[queue.index].inFlight += 1
                case .waits: return queue.putBack(slots[queue.index].takenCount)
                case .needsMore:
                    let hasMore = try queue.enableNotifications()
                    queue.putBack(slots[queue.index].takenCount)
                    guard hasMore else { return }
                    try queue.disableNotifications()
                }
                budget -= 1
                guard budget > 0 else { return continueLater(queue.index) }
            }
        } while try self.session == nil ? false : queue.enableNotifications()
    }

    private func continueLater(_ index: Int) {
        slots[index].isContinuing = true
        loop.async { [self] in
            slots[index].isContinuing = false
            serve(index)
        }
    }

    private func complete(_ chain: DescriptorChain, of queue: VirtQueue, written: Int) {
        do {
            try queue.complete(chain, written: written)
            slots[queue.index].isUnsignalled = true
        } catch {
            fail(error)
        }
    }

    private func fail(_ reason: VirtQueueError) {
        session = nil
        // The results of what is in flight do not count any more.
        for index in slots.indices {
            slots[index].generation += 1
            slots[index].isUnsignalled = false
        }
        report(reason)
    }

    private func whenIdle(_ queue: Int?, _ body: @escaping @Sendable () -> Void) {
        waiters.append(Waiter(queue: queue, body: body))
        // After the interrupts for what was completed: whoever waits must not see one afterwards.
        if isRunning.load(ordering: .acquiring) { settleLater() } else { settle() }
    }

    /// Requests that finish together share an interrupt.
    private func settleLater() {
        guard !isSettling else { return }
        isSettling = true
        loop.beforeWaiting { [self] in settle() }
    }

    private func settle() {
        isSettling = false
        for index in slots.indices where slots[index].isUnsignalled {
            slots[index].isUnsignalled = false
            guard let queue = slots[index].queue else { continue }
            do {
                if try queue.shouldSignal() { signals.signalQueue(index) }
            } catch {
                fail(error)
            }
        }
        guard !waiters.isEmpty else { return }
        let idle = { [slots] (waiter: Waiter) in
            waiter.queue.map { slots[$0].inFlight == 0 } ?? slots.allSatisfy { $0.inFlight == 0 }
        }
        let ready = waiters.filter(idle)
        waiters.removeAll(where: idle)
        for waiter in ready { waiter.body() }
    }
}
