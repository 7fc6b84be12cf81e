import Support

/// The board's network card: virtio-net (VIRTIO 1.2, section 5.1), the switch's port to the outside.
///
/// Each chain has two descriptors, for the header and the frame, because a legacy device wants the header alone. So descriptors
/// 2n and 2n + 1 are always those of buffer n.
struct NetworkDriver {
    static let mostBuffers = 64
    /// Frames that the card has of one guest: a guest that floods the card leaves room for the others.
    static let mostInFlight = 16
    fileprivate static let bufferSize: UInt64 = 2048
    /// The frame's place in a buffer; its header ends there.
    fileprivate static let framePlace: UInt64 = 64
    /// VIRTIO_NET_F_MAC. Without VIRTIO_NET_F_CTRL_RX the card takes all frames, as a switch's port must.
    private static let hardwareAddress: UInt64 = 1 << 5

    fileprivate(set) var isPresent = false
    /// Byte 0 in bits 40 to 47.
    fileprivate(set) var address: UInt64 = 0
    fileprivate(set) var sent: UInt64 = 0
    fileprivate(set) var received: UInt64 = 0
    fileprivate(set) var dropped: UInt64 = 0
    fileprivate var transport: VirtioTransport?
    fileprivate var receiveQueue: DriverQueue?
    fileprivate var transmitQueue: DriverQueue?
    fileprivate var receiveBuffers: UInt64 = 0
    fileprivate var transmitBuffers: UInt64 = 0
    /// A version 2 device's header has a number of buffers.
    fileprivate var headerSize: UInt64 = 12
    /// Per buffer, the guest whose frame it has; per guest, the number of its frames.
    fileprivate var senders = InlineArray<128, UInt8>(repeating: 0)
    fileprivate var inFlight = InlineArray<16, UInt8>(repeating: 0)

    /// The source of its interrupt; 0: none.
    var interrupt: UInt32 { transport?.interrupt.source ?? 0 }

    fileprivate mutating func configure(_ transport: VirtioTransport, _ features: UInt64) {
        self.transport = transport
        headerSize = transport.isLegacy ? 10 : 12
        guard features & Self.hardwareAddress != 0 else { return }
        for byte in 0..<6 { address = address << 8 | UInt64(transport.configuration8(UInt64(byte))) }
    }

    static var wantedFeatures: UInt64 { hardwareAddress }
}

extension UnsafeMutablePointer where Pointee == NetworkDriver {
    /// False: the card does not work with this driver.
    func start(_ transport: VirtioTransport, _ memory: inout DeviceMemory) -> Bool {
        guard let features = transport.negotiate(NetworkDriver.wantedFeatures),
            var receiveQueue = transport.makeQueue(0, memory.take(DriverQueue.bytes)),
            let transmitQueue = transport.makeQueue(1, memory.take(DriverQueue.bytes)),
            InterruptController.route(transport.interrupt, to: Devices.hart { $0.hasNetwork })
        else { return false }
        pointee.configure(transport, features)
        let size = UInt64(NetworkDriver.mostBuffers) * NetworkDriver.bufferSize
        pointee.receiveBuffers = memory.take(size)
        pointee.transmitBuffers = memory.take(size)
        transport.start()
        for _ in 0..<min(NetworkDriver.mostBuffers, Int(receiveQueue.size) / 2) {
            let buffer =
                pointee.receiveBuffers + UInt64(Int(receiveQueue.size) - receiveQueue.freeCount) / 2
                * NetworkDriver.bufferSize
            let frame = buffer + NetworkDriver.framePlace
            let head = receiveQueue.take(
                frame - pointee.headerSize, UInt32(pointee.headerSize), isWritten: true, hasMore: true)
            _ = receiveQueue.take(frame, UInt32(Switch.mostBytes), isWritten: true, hasMore: false)
            receiveQueue.publish(head)
        }
        (pointee.receiveQueue, pointee.transmitQueue) = (receiveQueue, transmitQueue)
        pointee.isPresent = true
        transport.notify(0)
        return true
    }

    /// Sends a copy of a guest's frame, or drops it if the guest or all guests have too many under way.
    func send(_ frame: UInt64, _ size: UInt64, from guest: Int) {
        guard pointee.isPresent, var queue = pointee.transmitQueue else { return }
        takeSent(&queue)
        let inUse = Int(queue.size) - queue.freeCount
        guard queue.freeCount >= 2, inUse < 2 * NetworkDriver.mostBuffers,
            pointee.inFlight[guest] < UInt8(NetworkDriver.mostInFlight)
        else {
            pointee.transmitQueue = queue
            pointee.dropped += 1
            return
        }
        let number = queue.firstFree / 2
        let place = pointee.transmitBuffers + UInt64(number) * NetworkDriver.bufferSize + NetworkDriver.framePlace
        for byte in 1...pointee.headerSize { hv_store8(place - byte, 0) }
        copy(to: place, from: frame, size)
        let head = queue.take(place - pointee.headerSize, UInt32(pointee.headerSize), isWritten: false, hasMore: true)
        _ = queue.take(place, UInt32(size), isWritten: false, hasMore: false)
        pointee.senders[Int(number)] = UInt8(guest)
        pointee.inFlight[guest] += 1
        pointee.sent += 1
        queue.publish(head)
        pointee.transmitQueue = queue
        pointee.transport?.notify(1)
    }

    /// Takes back what the card has sent.
    private func takeSent(_ queue: inout DriverQueue) {
        var count = 0
        while count < NetworkDriver.mostBuffers, let (head, _) = queue.takeUsed() {
            count += 1
            queue.release(head)
            let guest = Int(pointee.senders[Int(head / 2)])
            if pointee.inFlight[guest] > 0 { pointee.inFlight[guest] -= 1 }
        }
    }

    /// The card's interrupt: forwards what it received. More than 32 frames are left for another time.
    func handleInterrupt() {
        pointee.transport?.acknowledgeInterrupt()
        // Frames that come faster than guests take them do not keep the hart: their turn comes with the rest.
        if PostponedWork.card.isPostponed { return }
        let start = hv_time()
        if var queue = pointee.transmitQueue {
            takeSent(&queue)
            pointee.transmitQueue = queue
        }
        var count = 0
        while let (head, length) = pointee.receiveQueue?.takeUsed() {
            let place =
                pointee.receiveBuffers + UInt64(head / 2) * NetworkDriver.bufferSize + NetworkDriver.framePlace
            let size = UInt64(length) &- pointee.headerSize
            let begin = hv_time()
            let receiver = Switch.receiver(place)
            if size >= Switch.leastBytes, size <= Switch.mostBytes {
                pointee.received += 1
                Switch.forward(place, size, from: Switch.outside)
            } else {
                pointee.dropped += 1
            }
            pointee.receiveQueue?.publish(head)
            hypervisor.pointee.scheduler.chargeWork(of: receiver, since: begin)
            count += 1
            if count == 32 {
                PostponedWork.card.postpone(since: start)
                break
            }
        }
        if count > 0 { pointee.transport?.notify(0) }
    }
}
