import Support

/// A disk of the board: virtio-blk (VIRTIO 1.2, section 5.2). Guests share it: each has a range, and requests start in turn.
struct DiskDriver {
    static let mostRequests = 32
    /// A disk that asks for more resets is not used any more.
    fileprivate static let mostResets = 16
    private static let sizeMaximum: UInt64 = 1 << 1
    private static let segmentMaximum: UInt64 = 1 << 2
    private static let readOnly: UInt64 = 1 << 5
    private static let blockSize: UInt64 = 1 << 6
    private static let flush: UInt64 = 1 << 9
    fileprivate static let wantedFeatures = sizeMaximum | segmentMaximum | readOnly | blockSize | flush

    /// A request that the device has. Its number is the place of its header and status in `memory`.
    struct Request {
        var guest: UInt8 = 0
        /// The guest's descriptor chain, where its status belongs, and the bytes that the device writes on success.
        var head: UInt16 = 0
        var status: UInt64 = 0
        var written: UInt32 = 0
        /// A write of a driver without VIRTIO_BLK_F_FLUSH: its status comes after a flush (section 5.2.6.2).
        var isUnstable = false
    }

    let index: Int
    /// In sectors of 512 bytes; 0: the disk does not work.
    fileprivate(set) var sectors: UInt64 = 0
    fileprivate(set) var isReadOnly = false
    fileprivate(set) var canFlush = false
    /// Bytes of a logical block: transfers are multiples of it.
    fileprivate(set) var blockBytes: UInt32 = 512
    /// Limits of one request: parts of its data, and bytes of a part.
    fileprivate(set) var mostParts = 0
    fileprivate(set) var mostPartBytes: UInt32 = 0
    fileprivate var transport: VirtioTransport?
    fileprivate var features: UInt64 = 0
    fileprivate var resets = 0
    /// The device does not work any more: all requests fail.
    fileprivate(set) var isBroken = false
    fileprivate var queue: DriverQueue?
    /// Per request: a header of 16 bytes; behind all headers, a byte for the status of each.
    fileprivate var memory: UInt64 = 0
    fileprivate var requests = InlineArray<32, Request>(repeating: Request())
    /// Requests in use, a bit each, and per descriptor, the request whose chain begins there.
    fileprivate var used: UInt32 = 0
    fileprivate var requestOfHead = InlineArray<256, UInt8>(repeating: 0)
    /// The guest whose request is next.
    fileprivate var turn = 0

    init(index: Int) { self.index = index }

    /// The source of its interrupt; 0: none.
    var interrupt: UInt32 { sectors == 0 ? 0 : transport?.interrupt.source ?? 0 }

    fileprivate mutating func configure(_ transport: VirtioTransport, _ features: UInt64, queueSize: UInt16) {
        self.features = features
        isReadOnly = features & Self.readOnly != 0
        canFlush = features & Self.flush != 0
        // A header and a status are in each chain, too.
        mostParts = Int(queueSize) - 2
        if features & Self.segmentMaximum != 0 {
            mostParts = min(mostParts, Int(max(transport.configuration32(12), 1)))
        }
        mostPartBytes = 128 << 10
        if features & Self.sizeMaximum != 0 { mostPartBytes = min(mostPartBytes, transport.configuration32(8)) }
        if features & Self.blockSize != 0 { blockBytes = max(transport.configuration32(20), 512) }
        sectors = transport.configuration64(0)
    }
}

extension UnsafeMutablePointer where Pointee == DiskDriver {
    /// False: the device does not work with this driver.
    func start(_ transport: VirtioTransport, _ memory: inout DeviceMemory) -> Bool {
        guard let features = transport.negotiate(DiskDriver.wantedFeatures),
            let queue = transport.makeQueue(0, memory.take(DriverQueue.bytes))
        else { return false }
        pointee.configure(transport, features, queueSize: queue.size)
        let hart = Devices.hart { $0.disk?.device == pointee.index }
        guard pointee.sectors > 0, InterruptController.route(transport.interrupt, to: hart) else {
            pointee.sectors = 0
            return false
        }
        pointee.memory = memory.take(17 * UInt64(DiskDriver.mostRequests))
        pointee.transport = transport
        pointee.queue = queue
        transport.start()
        return true
    }

    // MARK: Requests

    /// Whether the device has room for one more request of `parts` parts. If not, the next completion starts it.
    func hasRoom(_ parts: Int) -> Bool {
        pointee.used != .max && (pointee.queue?.freeCount ?? 0) >= parts + 2
    }

    /// Gives the device a request. The caller has asked `hasRoom`, and has checked addresses and sectors.
    ///
    /// - Parameters:
    ///   - type: 0 reads, 1 writes, 4 flushes (section 5.2.6).
    ///   - start: the first part of `hypervisor.chain` with data: the device reaches the guest's own pages, nothing is copied.
    func submit(_ request: DiskDriver.Request, type: UInt32, sector: UInt64, start: Int, count: Int) {
        guard var queue = pointee.queue else { return }
        let chain = hypervisor.pointee.chain
        let number = (~pointee.used).trailingZeroBitCount
        pointee.used |= 1 << UInt32(number)
        pointee.requests[number] = request
        let header = pointee.memory + 16 * UInt64(number)
        hv_store32(header, type)
        hv_store32(header + 4, 0)
        hv_store64(header + 8, sector)
        let status = statusPlace(number)
        hv_store8(status, 0xff)
        let head = queue.take(header, 16, isWritten: false, hasMore: true)
        for index in start..<start + count {
            let part = chain.pointee.parts[index]
            _ = queue.take(part.address, part.length, isWritten: type == 0, hasMore: true)
        }
        _ = queue.take(status, 1, isWritten: true, hasMore: false)
        pointee.requestOfHead[Int(head)] = UInt8(number)
        queue.publish(head)
        pointee.queue = queue
    }

    private func statusPlace(_ number: Int) -> UInt64 {
        pointee.memory + 16 * UInt64(DiskDriver.mostRequests) + UInt64(number)
    }

    /// Starts what the guests of this disk have made available: one request of each in turn, so that a guest with many waits for a guest
    /// with one. A request that finds no room keeps its turn.
    func startRequests() {
        let count = hypervisor.pointee.guestCount
        guard count > 0, pointee.sectors > 0 else { return }
        var budget = 8
        var idle = 0
        var isStarted = false
        let start = hv_time()
        while idle < count {
            guard budget > 0 else {
                for index in 0..<count where (hypervisor.pointee.guests + index).hasDiskRequest(on: self) {
                    PostponedWork.requests(index).postpone(since: start)
                }
                break
            }
            let begin = hv_time()
            let step = (hypervisor.pointee.guests + pointee.turn).startDiskRequest(on: self)
            if step != .none { hypervisor.pointee.scheduler.chargeWork(of: pointee.turn, since: begin) }
            if step == .full { break }
            if step == .none {
                idle += 1
            } else {
                (idle, budget) = (0, budget - 1)
                if step == .started { isStarted = true }
            }
            pointee.turn = (pointee.turn + 1) % count
        }
        if isStarted { pointee.transport?.notify(0) }
    }

    /// The device's interrupt: gives the guests their results, then starts what waited for room.
    func complete() {
        let needsReset = pointee.transport?.acknowledgeInterrupt() ?? false
        var count = 0
        var isStarted = false
        while count < DiskDriver.mostRequests, let (head, _) = pointee.queue?.takeUsed() {
            count += 1
            let begin = hv_time()
            let number = Int(pointee.requestOfHead[Int(head)])
            guard pointee.used >> UInt32(number) & 1 == 1 else { continue }
            pointee.used &= ~(1 << UInt32(number))
            pointee.queue?.release(head)
            let request = pointee.requests[number]
            let status = min(hv_load8(statusPlace(number)), DiskStatus.ioError)
            let guest = hypervisor.pointee.guests + Int(request.guest)
            if request.isUnstable, status == DiskStatus.ok, guest.pointee.disk.registers.isLive {
                // What was released has room for the flush, whose status is that of the write.
                var flush = request
                flush.isUnstable = false
                submit(flush, type: 4, sector: 0, start: 0, count: 0)
                isStarted = true
            } else {
                guest.finishDiskRequest(request, status)
            }
            hypervisor.pointee.scheduler.chargeWork(of: Int(request.guest), since: begin)
        }
        if needsReset { recover() } else if isStarted { pointee.transport?.notify(0) }
        startRequests()
    }

    // MARK: Reset

    /// The device has stopped by itself (DEVICE_NEEDS_RESET). It starts again; the requests that it had fail, because nobody knows how far it came.
    private func recover() {
        let lost = pointee.used
        say("hypervisor: disk ")
        say(UInt64(pointee.index))
        pointee.resets += 1
        if pointee.resets <= DiskDriver.mostResets, restart() {
            say(" asked for a reset: the requests that it had fail\n")
        } else {
            pointee.isBroken = true
            say(" does not work after a reset: all requests fail\n")
        }
        // After the reset the device reaches no memory.
        pointee.used = 0
        for number in 0..<DiskDriver.mostRequests where lost >> UInt32(number) & 1 == 1 {
            let request = pointee.requests[number]
            (hypervisor.pointee.guests + Int(request.guest)).finishDiskRequest(request, DiskStatus.ioError)
        }
    }

    /// The initialization again, with an empty queue in the same memory. False: the device is not what it was.
    private func restart() -> Bool {
        guard let transport = pointee.transport, let old = pointee.queue,
            transport.negotiate(DiskDriver.wantedFeatures) == pointee.features
        else { return false }
        zero(old.memory, DriverQueue.bytes)
        guard let queue = transport.makeQueue(0, old.memory), queue.size == old.size,
            transport.configuration64(0) == pointee.sectors
        else { return false }
        pointee.queue = queue
        transport.start()
        return true
    }
}
