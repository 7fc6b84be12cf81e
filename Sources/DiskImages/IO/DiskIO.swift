package import HostSystem

/// The host I/O of a machine's disks: many requests in flight, whose results come back on an event loop.
///
/// File I/O goes to the kernel (io_uring), and to a few threads where the kernel refuses that. Work that has to block goes to
/// the threads in any case. Neither exists before the first request, and both end with the loop.
package final class DiskIO: @unchecked Sendable {
    // @unchecked: `fileIO` is touched on the loop's thread only.

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

    private func close() {
        fileIO = .unknown
        pool.stop()
        refused.stop()
    }

    /// Whether file I/O goes to the kernel without a thread of this process. Only on the loop's thread.
    var usesRing: Bool {
        if case .ring = chosen() { true } else { false }
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

    // MARK: On the loop's thread

    /// Does an operation on a file.
    func submit(_ operation: FileOperation) {
        if case .ring(let ring) = chosen() {
            ring.submit(operation) { [self] in run(on: refused, $0.completion, $0.runBlocking) }
        } else {
            run(on: pool, operation.completion, operation.runBlocking)
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
                loop.async { completion(result) }
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
