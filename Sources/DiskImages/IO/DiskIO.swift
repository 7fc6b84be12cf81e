package import HostSystem
internal import Synchronization

/// The host I/O of a machine's disks: many requests in flight, whose results come back on an event loop.
///
/// A small transfer that a visitor of the loop submits is tried at once, without waiting: the host's page cache has most of what a
/// guest reads. Other file I/O goes to the kernel (io_uring), and to a few threads where the kernel refuses that. Work that has to
/// block goes to the threads in any case, and so do writes where the file system makes a writer wait. Neither the ring nor a thread
/// exists before the first request, and all end with the loop.
package final class DiskIO: @unchecked Sendable {
    // @unchecked: `fileIO`, `lanes` and the counts of a turn are touched on the loop's thread only.

    package enum Method: Sendable {
        /// The ring, or the threads if there is none.
        case automatic
        case threads
    }

    /// The most threads that wait for host I/O, for all disks of a machine.
    package static let threadLimit = 4

    package let loop: EventLoop
    private let method: Method
    private let pool: IOThreadPool
    // Transfers that the ring refuses have a thread of their own: those of the pool may wait for what such a transfer holds.
    private let refused = IOThreadPool(limit: 1)
    private let makeRing: @Sendable () throws(SystemError) -> IORing
    private var fileIO = FileIO.unknown
    // By descriptor: files whose writes need a thread that waits. A descriptor that is used again for another file keeps its lane.
    private var lanes: [Int32: WriteLane] = [:]

    /// The most bytes that a visitor copies itself in a visit.
    private static let visitorLimit = 64 << 10
    /// The same for the loop's thread in a turn.
    private static let turnLimit = 4 << 20
    /// Notifications that are left to the loop's thread after an attempt that failed: what is not in the host's memory is better read
    /// beside the vCPU, and the next request is often like the last.
    private static let skippedVisits = 15
    private let visitsToSkip = Atomic(0)
    // Bytes in this turn.
    private var copied = 0
    private var copyingTurn: UInt64 = 0

    private enum FileIO {
        /// Nothing has been submitted yet.
        case unknown
        case ring(RingIO)
        case threads
    }

    /// - Parameters:
    ///   - loop: where requests are submitted and completed.
    ///   - makeRing: makes the ring; a test lets it fail as a kernel does that refuses io_uring.
    package init(
        loop: EventLoop, method: Method = .automatic,
        makeRing: @escaping @Sendable () throws(SystemError) -> IORing = { () throws(SystemError) in
            try IORing(entries: RingIO.entries)
        }
    ) {
        self.loop = loop
        self.method = method
        self.makeRing = makeRing
        pool = IOThreadPool(limit: Self.threadLimit)
        loop.atEnd { [weak self] in self?.close() }
    }

    /// Makes the ring now, where one is used: a process that is about to be jailed cannot make it later. Before the loop starts.
    package func prepare() { _ = chosen() }

    private func close() {
        fileIO = .unknown
        pool.stop()
        refused.stop()
    }

    /// Whether file I/O goes to the kernel without a thread of this process. Only on the loop's thread.
    ///
    /// A visitor is told so before the loop's thread has tried to make a ring.
    var usesRing: Bool {
        if case .unknown = fileIO, loop.isVisited { return method == .automatic }
        return if case .ring = chosen() { true } else { false }
    }

    private func chosen() -> FileIO {
        if case .unknown = fileIO {
            fileIO = .threads
            if method == .automatic, let ring = try? makeRing(), let io = try? RingIO(ring, loop: loop) {
                fileIO = .ring(io)
            }
        }
        return fileIO
    }

    /// Whether the thread that notifies of a request should visit the loop for it. Asked once for each notification, by any thread.
    package func favorsVisit() -> Bool {
        let left = visitsToSkip.load(ordering: .relaxed)
        if left > 0 { visitsToSkip.store(left - 1, ordering: .relaxed) }
        return left <= 0
    }

    // MARK: On the loop's thread

    /// Does an operation on a file.
    func submit(_ operation: FileOperation) {
        if operation.group.isCancelled { return finish(operation.completion, .cancelled) }
        let isVisited = loop.isVisited
        // A transfer past the page cache waits for the medium, also when it is told not to wait.
        if operation.isDirect { return isVisited ? loop.async { [self] in begin(operation) } : begin(operation) }
        if operation.isWrite, let lane = lanes[operation.descriptor] { return submit(operation, to: lane) }
        // A ring tries to read at once as well. Whether the file system makes a writer wait is known only after an attempt.
        if isVisited || operation.isWrite {
            guard mayCopy(operation.count, isVisited: isVisited) else {
                return loop.async { [self] in submit(operation) }
            }
            switch operation.tryAtOnce() {
            case .finished: return finish(operation.completion, nil)
            case .impossible where operation.isWrite:
                let lane = WriteLane()
                lanes[operation.descriptor] = lane
                return submit(operation, to: lane)
            case .impossible, .unfinished: visitsToSkip.store(Self.skippedVisits, ordering: .relaxed)
            }
        }
        // The kernel may finish what a ring was given in the context of the thread that gave it, which for a visitor is a vCPU's.
        if isVisited { loop.async { [self] in begin(operation) } } else { begin(operation) }
    }

    /// Whether an attempt to transfer `count` bytes keeps the turn short. A turn may always begin with one on the loop's own thread.
    private func mayCopy(_ count: Int, isVisited: Bool) -> Bool {
        let turn = loop.turnNumber
        if turn != copyingTurn { (copyingTurn, copied) = (turn, 0) }
        guard copied + count <= (isVisited ? Self.visitorLimit : Self.turnLimit) || copied == 0 && !isVisited else {
            return false
        }
        copied += count
        return true
    }

    private func begin(_ operation: FileOperation) {
        if operation.group.isCancelled { return finish(operation.completion, .cancelled) }
        if case .ring(let ring) = chosen() {
            ring.submit(operation) { [self] in run(on: refused, $0.completion, $0.runBlocking) }
        } else {
            run(on: pool, operation.completion, operation.runBlocking)
        }
    }

    private func submit(_ operation: FileOperation, to lane: WriteLane) {
        if lane.add(operation) { serve(lane) }
    }

    private func serve(_ lane: WriteLane) {
        do {
            try pool.run { [self] in
                let results = lane.serve()
                loop.visitOrAsync { [self] in
                    for result in results { result.operation.completion(result.error) }
                    if lane.needsThread() { serve(lane) }
                }
            }
        } catch {
            for operation in lane.takeAll() { finish(operation.completion, .system(error)) }
        }
    }

    /// Runs `body`, which may block, on a thread, and passes its result to `completion`.
    func runBlocking(_ completion: @escaping DiskCompletion, _ body: @escaping @Sendable () -> DiskImageError?) {
        run(on: pool, completion, body)
    }

    private func run(
        on pool: IOThreadPool, _ completion: @escaping DiskCompletion, _ body: @escaping @Sendable () -> DiskImageError?
    ) {
        do {
            try pool.run { [loop] in
                let result = body()
                loop.visitOrAsync { completion(result) }
            }
        } catch {
            finish(completion, .system(error))
        }
    }

    /// Completes a request without host I/O.
    func finish(_ completion: @escaping DiskCompletion, _ result: DiskImageError?) {
        loop.beforeWaiting { completion(result) }
    }

    func cancel(_ group: IOGroup) {
        if case .ring(let ring) = fileIO { ring.cancel(group) }
    }
}
