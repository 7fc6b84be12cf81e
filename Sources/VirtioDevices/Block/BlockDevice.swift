package import DiskImages
internal import GuestMemory
package import HostSystem
package import SavedState
internal import Synchronization
package import Virtio

/// A disk (VIRTIO 1.2, section 5.2): requests go straight between the image and guest memory, as many at a time as the queues
/// hold, and are completed in the order in which the host is done with them.
package final class BlockDevice: VirtioDevice, @unchecked Sendable {
    // @unchecked: `groups` and `firstQueue` are touched on the loop's thread only, as all calls of `QueueService` are.

    package let type = VirtioDeviceType.block
    package let features: UInt64
    package let queueSizes: [UInt16]
    // The host's page cache answers most reads in less time than a thread takes to wake up.
    package var servesNotifier: Bool { io.favorsVisit() }

    private let image: any DiskImage
    private let serial: [UInt8]
    private let io: DiskIO
    private let cache = CacheMode()
    private let service = Mutex<QueueService?>(nil)
    private let limiter: RateLimiter
    /// Requests that the image has carried out; reads are `in`.
    package let counters = TransferCounters()
    /// The queue that is served first when the rate allows another request.
    private var firstQueue = 0
    private let configurationChanges = Atomic<UInt32>(0)
    /// The driver was not told yet that the configuration has changed.
    private let isUnsignalled = Atomic(false)
    /// By queue: what a stop of the queue cancels.
    private var groups: [IOGroup]

    /// - Parameters:
    ///   - image: what the disk holds. The device is its only user.
    ///   - io: does the host I/O, on the event loop of the device's transport.
    ///   - serial: what GET_ID answers (`/sys/block/vda/serial`); 20 bytes of ASCII at most, more are cut off.
    ///   - queueCount: 1 to 64.
    ///   - rate: limits the requests that reach the image.
    ///   - clock: the time of the rate; nil is the host's.
    package init(
        image: any DiskImage, io: DiskIO, serial: String = "", queueCount: Int = 1, rate: DeviceRate = DeviceRate(),
        clock: (any RateClock)? = nil
    ) {
        precondition((1...64).contains(queueCount), "a disk has 1 to 64 queues")
        self.image = image
        self.io = io
        self.serial = Array(serial.utf8.prefix(20))
        features = BlockConfiguration.features(of: image, queueCount: queueCount)
        queueSizes = Array(repeating: BlockConfiguration.queueSize, count: queueCount)
        groups = (0..<queueCount).map { _ in IOGroup(io) }
        limiter = RateLimiter(rate, clock: clock ?? HostRateClock())
    }

    package var configuration: [UInt8] {
        BlockConfiguration.bytes(of: image, queueCount: queueSizes.count, writeBack: cache.isWriteBack)
    }

    // The driver's own changes do not count.
    package var configurationGeneration: UInt32 { configurationChanges.load(ordering: .acquiring) }

    package func writeConfiguration(_ bytes: [UInt8], at offset: Int) {
        let index = BlockConfiguration.writeBackOffset - offset
        guard bytes.indices.contains(index) else { return }
        cache.choose(writeBack: bytes[index] != 0)
    }

    /// Gives the disk a larger size, which the driver is told of. Any thread; not at the same time as another call.
    ///
    /// - Parameter size: bytes, whole sectors.
    package func resize(to size: UInt64) throws(DiskImageError) {
        try image.grow(to: size)
        configurationChanges.add(1, ordering: .acquiringAndReleasing)
        isUnsignalled.store(true, ordering: .releasing)
        // While the machine is paused, this waits for its resumption.
        service.withLock { $0 }?.wake()
    }

    /// Changes the limit of requests that reach the image. Any thread, after `start` and before `stop`; not at the same time as another
    /// call.
    package func setRate(_ rate: DeviceRate) throws(SystemError) { try limiter.set(rate) }

    // MARK: Requests

    package func serve(_ taken: TakenRequest, _ session: VirtioSession) throws(VirtQueueError) -> RequestProgress {
        let memory = session.memory
        let request = try BlockRequest(taken.chain, in: memory)
        let demand = request.demand(on: image, serial: serial, isWriteBack: cache.isWriteBack, memory: memory)
        switch demand {
        case .answer(let status, let data):
            let count = taken.chain.writable.write(data, in: memory)
            return .done(written: Self.finish(request, status, written: count, in: memory))
        case .host(let requests):
            guard let service = service.withLock({ $0 }) else { return .waits }
            if limiter.mustWait() { return .waits }
            limiter.count(bytes: requests.reduce(0) { $0 + Self.written($1) })
            run(BlockSteps(requests), in: groups[taken.queue]) { [self] error in
                // Also after an error or a reset: the host may have written a part.
                if request.isRead { taken.chain.writable.markModified(count: request.room, in: memory) }
                if error == nil { count(requests) }
                service.finish(taken) {
                    // Whatever the host's reason, the driver knows one kind of failure.
                    let written = error == nil && request.isRead ? request.room : 0
                    return Self.finish(request, error == nil ? .ok : .ioError, written: written, in: memory)
                }
            }
            return .pending
        }
    }

    /// The bytes that a request moves, or that the host may have to write for it.
    private static func written(_ request: DiskRequest) -> Int {
        if case .writeZeroes = request.operation { return Int(clamping: request.count) }
        return request.buffers.count
    }

    /// Counts a driver's request that was carried out; flushes and discards are no transfers.
    private func count(_ requests: [DiskRequest]) {
        switch requests.first?.operation {
        case .read: counters.countIn(bytes: requests.reduce(0) { $0 + $1.buffers.count })
        case .write: counters.countOut(bytes: requests.reduce(0) { $0 + $1.buffers.count })
        default: break
        }
    }

    /// Writes the status behind the room for data.
    ///
    /// - Returns: how many bytes were written from the start of the writable buffers on, given how many of data were.
    private static func finish(
        _ request: BlockRequest, _ status: BlockRequest.Status, written: Int, in memory: GuestMemory
    ) -> Int {
        request.chain.writable.write([status.rawValue], from: request.room, in: memory)
        return written == request.room ? written + 1 : written
    }

    private func run(_ steps: BlockSteps, in group: IOGroup, _ completion: @escaping DiskCompletion) {
        var rest = steps
        guard let next = rest.next() else { return io.loop.beforeWaiting { completion(nil) } }
        run(next, before: rest, in: group, completion)
    }

    private func run(
        _ request: DiskRequest, before rest: BlockSteps, in group: IOGroup, _ completion: @escaping DiskCompletion
    ) {
        image.submit(request, in: group) { [self] error in
            var rest = rest
            guard error == nil, !group.isCancelled, let next = rest.next() else { return completion(error) }
            // Other handlers have their turn between two pieces, and a stop of the queue its chance.
            io.loop.async { [self, rest] in run(next, before: rest, in: group, completion) }
        }
    }

    package func abandon(queue index: Int) {
        groups[index].cancel()
        groups[index] = IOGroup(io)
    }

    // MARK: Lifecycle

    package func start(_ service: QueueService) throws {
        self.service.withLock { $0 = service }
        try limiter.start(on: service.loop) { [weak self] in self?.serveInTurn(service) }
    }

    /// Lets the queues take turns at what the rate allows.
    private func serveInTurn(_ service: QueueService) {
        firstQueue = (firstQueue + 1) % queueSizes.count
        for index in queueSizes.indices { service.look(at: (firstQueue + index) % queueSizes.count) }
    }

    package func awaken(_ session: VirtioSession) {
        if isUnsignalled.exchange(false, ordering: .acquiringAndReleasing) {
            session.signals.signalConfigurationChange()
        }
    }

    package func activate(_ session: VirtioSession) { cache.negotiated(session) }
    package func reset() { cache.reset() }

    package func stop() {
        service.withLock { $0 = nil }
        limiter.stop()
        // Without a flush, which would wait for the host's disk: what the guest had flushed is durable, and what it had only
        // written is the host's by now and does not depend on this process.
        image.close()
    }

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: "virtio-block", version: 1)
        record.set("size", image.size)
        record.set("writeBack", cache.isWriteBack)
        return record
    }

    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "virtio-block", versions: 1...1)
        // A guest that has mounted a disk does not survive another size.
        guard try state.integer("size", as: UInt64.self) == image.size else {
            throw .badField(kind: state.kind, field: "size")
        }
        cache.restore(writeBack: try state.boolean("writeBack"))
    }
}
