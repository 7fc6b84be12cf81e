package import HostNetwork
package import HostSystem
package import SavedState
internal import Synchronization
package import Virtio

/// A network card (VIRTIO 1.2, section 5.1) with one pair of queues and a control queue.
///
///     offset  size  configuration
///          0     6  MAC address
///          6     2  status: 1 link up, 2 the driver shall announce itself
///          8     2  most pairs of queues (not offered, 1)
///         10     2  MTU
package final class NetworkDevice: VirtioDevice, @unchecked Sendable {
    // @unchecked: `link` is a lock. The rest is used on the loop's thread, or while the device is paused.

    static let receiveQueue = 0
    static let transmitQueue = 1
    static let controlQueue = 2

    private static let longestNetworkState = 4096
    private static let mostFramesAtOnce = 256

    private struct Link {
        /// The card's own address, which the driver reads.
        var address: MACAddress
        /// The backend's link.
        var isConnected: Bool
        /// Whether the owner of the machine lets the link be up.
        var isAllowed = true
        var mustAnnounce = false
        /// The driver was not told yet that the configuration has changed.
        var isUnsignalled = false
        var generation: UInt32 = 0

        var isUp: Bool { isConnected && isAllowed }
        var status: UInt16 { (isUp ? 1 : 0) | (mustAnnounce ? 2 : 0) }
    }

    package let type = VirtioDeviceType.network
    package let features: UInt64
    package let queueSizes: [UInt16] = [256, 256, 64]

    private let backend: any NetworkBackend
    private let log: Log
    /// The owner of the machine has chosen the address: it is not taken from a saved state.
    private let isAddressGiven: Bool
    private let link: Mutex<Link>
    private let receiveLimiter: RateLimiter
    private let transmitLimiter: RateLimiter
    /// Frames that the guest has received (`in`) and sent.
    package let counters = TransferCounters()
    private var filter: ReceiveFilter
    // A frame on its way out, or one whose checksum is finished on its way in.
    private let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: Ethernet.longestFrame, alignment: 16)

    /// - Parameters:
    ///   - backend: carries the card's frames; the device is its only user.
    ///   - address: the card's MAC address, unless the driver sets another.
    ///   - isAddressGiven: whether the card has this address also after the restore of a state with another one. The driver keeps the address
    ///     that it uses until it sets a new one.
    ///   - rate: limits the frames in each direction.
    ///   - clocks: the times of the rates of receiving and sending; nil is the host's.
    ///   - log: takes the backend's messages.
    package init(
        backend: any NetworkBackend, address: MACAddress, isAddressGiven: Bool = false,
        rate: DeviceRate = DeviceRate(),
        clocks: (receive: any RateClock, transmit: any RateClock)? = nil, log: Log = .silent
    ) {
        self.backend = backend
        self.log = log
        self.isAddressGiven = isAddressGiven
        receiveLimiter = RateLimiter(rate, clock: clocks?.receive ?? HostRateClock())
        transmitLimiter = RateLimiter(rate, clock: clocks?.transmit ?? HostRateClock())
        features = NetworkFeature.always | (backend.hasSegmentation ? NetworkFeature.segmentation : 0)
        link = Mutex(Link(address: address, isConnected: backend.isLinkUp))
        filter = ReceiveFilter(address: address)
    }

    deinit { frame.deallocate() }

    // MARK: Configuration

    package var configuration: [UInt8] {
        let (address, status) = link.withLock { ($0.address, $0.status) }
        let words = [status, 1, backend.mtu]
        return address.bytes + words.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    }

    package var configurationGeneration: UInt32 { link.withLock(\.generation) }

    package func writeConfiguration(_ bytes: [UInt8], at offset: Int) {}

    // MARK: Requests

    package func serve(_ request: TakenRequest, _ session: VirtioSession) throws(VirtQueueError) -> RequestProgress {
        switch request.queue {
        case Self.receiveQueue: try receive(request, session)
        case Self.transmitQueue: transmit(request.chain, session)
        default: control(request.chain, session)
        }
    }

    private func headerSize(_ session: VirtioSession) -> Int {
        session.has(VirtioFeatures.version1) || session.has(NetworkFeature.mergedBuffers)
            ? OffloadHeader.size : OffloadHeader.legacySize
    }

    /// Frames that are too short, too long, or ask for what was not negotiated are dropped, as a network may do with any frame.
    private func transmit(_ chain: DescriptorChain, _ session: VirtioSession) -> RequestProgress {
        let headerSize = headerSize(session)
        let count = chain.readable.count - headerSize
        guard (Ethernet.headerSize...Ethernet.longestFrame).contains(count) else { return .done(written: 0) }
        let header = withUnsafeTemporaryAllocation(byteCount: headerSize, alignment: 2) { bytes in
            _ = chain.readable.copy(into: bytes, in: session.memory)
            return OffloadHeader(UnsafeRawBufferPointer(bytes))
        }
        let bytes = UnsafeMutableRawBufferPointer(rebasing: frame[..<count])
        _ = chain.readable.copy(from: headerSize, into: bytes, in: session.memory)
        // A link that is down takes frames and loses them.
        guard session.allows(sending: header.segmentation), link.withLock(\.isAllowed) else { return .done(written: 0) }
        if transmitLimiter.mustWait() { return .waits }
        var sent = header
        sent.flags &= OffloadHeader.needsChecksum
        if header.hasPartialChecksum, !backend.hasPartialChecksums {
            guard InternetChecksum.complete(header, in: bytes) else { return .done(written: 0) }
            sent.flags &= ~OffloadHeader.needsChecksum
        }
        guard backend.send(OutgoingFrame(header: sent, bytes: UnsafeRawBufferPointer(bytes))) else { return .waits }
        transmitLimiter.count(bytes: count)
        counters.countOut(bytes: count)
        return .done(written: 0)
    }

    private func receive(_ request: TakenRequest, _ session: VirtioSession) throws(VirtQueueError) -> RequestProgress {
        let headerSize = headerSize(session)
        if receiveLimiter.mustWait() { return .waits }
        while let incoming = nextFrame(session) {
            let total = headerSize + incoming.bytes.count
            var requests = [(request: request, written: 0)]
            var room = request.chain.writable.count
            if session.has(NetworkFeature.mergedBuffers) {
                while room < total {
                    guard let next = try service?.takeNext(request) else {
                        // A queue that is full of buffers and still too small never becomes large enough.
                        if requests.count >= service?.size(of: request.queue) ?? 0 { break }
                        return .needsMore
                    }
                    requests.append((next, 0))
                    room += next.chain.writable.count
                }
            }
            if room >= total {
                deliver(incoming, into: &requests, headerSize: headerSize, session)
                receiveLimiter.count(bytes: incoming.bytes.count)
                counters.countIn(bytes: incoming.bytes.count)
                backend.consume()
                return .doneTogether(requests)
            }
            // The driver's buffers are too small for the frame.
            backend.consume()
            if requests.count > 1 {
                service?.lookLater(at: Self.receiveQueue)
                return .waits
            }
        }
        return .waits
    }

    /// The next frame for this driver. After many that are not, other handlers of the loop have their turn.
    private func nextFrame(_ session: VirtioSession) -> IncomingFrame? {
        let isAllowed = link.withLock(\.isAllowed)
        for _ in 0..<Self.mostFramesAtOnce {
            guard let incoming = backend.receive() else { return nil }
            if isAllowed, let destination = MACAddress(incoming.bytes), filter.admits(destination),
                session.allows(receiving: incoming.header.segmentation)
            {
                return incoming
            }
            backend.consume()
        }
        service?.lookLater(at: Self.receiveQueue)
        return nil
    }

    private func deliver(
        _ incoming: IncomingFrame, into requests: inout [(request: TakenRequest, written: Int)], headerSize: Int,
        _ session: VirtioSession
    ) {
        var (header, bytes) = (incoming.header, incoming.bytes)
        if !session.has(NetworkFeature.guestChecksum) {
            if header.hasPartialChecksum {
                frame.copyMemory(from: bytes)
                let copy = UnsafeMutableRawBufferPointer(rebasing: frame[..<bytes.count])
                _ = InternetChecksum.complete(header, in: copy)
                bytes = UnsafeRawBufferPointer(copy)
            }
            header.flags = 0
        }
        header.flags &= OffloadHeader.needsChecksum | OffloadHeader.dataValid
        header.bufferCount = UInt16(requests.count)
        withUnsafeTemporaryAllocation(byteCount: headerSize, alignment: 2) { space in
            header.store(into: space)
            var parts = [UnsafeRawBufferPointer(space)[...], bytes[...]]
            for index in requests.indices {
                let buffers = requests[index].request.chain.writable
                var done = 0
                for part in parts.indices {
                    let piece = UnsafeRawBufferPointer(rebasing: parts[part].prefix(buffers.count - done))
                    done += buffers.write(piece, from: done, in: session.memory)
                    parts[part] = parts[part].dropFirst(piece.count)
                }
                requests[index].written = done
            }
        }
    }

    // MARK: The control queue (section 5.1.6.5)

    private func control(_ chain: DescriptorChain, _ session: VirtioSession) -> RequestProgress {
        let command = chain.readable.bytes(count: 1 << 16, in: session.memory)
        guard chain.writable.count > 0 else { return .done(written: 0) }
        let before = filter.address
        let isDone = command.count >= 2 && carryOut(class: command[0], command[1], command[2...])
        chain.writable.write([isDone ? 0 : 1], in: session.memory)
        announceRenewal(from: before, session)
        return .done(written: 1)
    }

    /// A copy whose driver has taken its own address announces that: the network may have learned the old one, and the guest need not send
    /// anything by itself.
    private func announceRenewal(from before: MACAddress, _ session: VirtioSession) {
        guard filter.address != before, filter.address == link.withLock(\.address),
            session.has(NetworkFeature.announcement)
        else { return }
        changeLink { $0.mustAnnounce = true }
        service?.wake()
    }

    private func carryOut(class kind: UInt8, _ command: UInt8, _ data: ArraySlice<UInt8>) -> Bool {
        switch (kind, command) {
        case (0, _):
            guard let isOn = data.first else { return false }
            return filter.setMode(command, isOn != 0)
        case (1, 0): return filter.setTables(data)
        case (1, 1):
            guard let address = MACAddress(data), !address.isMulticast else { return false }
            filter.address = address
            return true
        case (3, 0):
            link.withLock { $0.mustAnnounce = false }
            return true
        default: return false
        }
    }

    // MARK: Lifecycle

    private var service: QueueService?

    package func start(_ service: QueueService) throws {
        self.service = service
        try receiveLimiter.start(on: service.loop) { service.look(at: Self.receiveQueue) }
        try transmitLimiter.start(on: service.loop) { service.look(at: Self.transmitQueue) }
        try backend.start(on: service.loop, log: log) { [weak self] event in self?.take(event) }
    }

    private func take(_ event: NetworkEvent) {
        switch event {
        case .readable: service?.look(at: Self.receiveQueue)
        case .writable: service?.look(at: Self.transmitQueue)
        case .link:
            let isUp = backend.isLinkUp
            changeLink { $0.isConnected = isUp }
            // While the machine is paused, this waits for its resumption.
            service?.wake()
        }
    }

    private func changeLink(_ change: (inout Link) -> Void) {
        link.withLock {
            change(&$0)
            $0.generation &+= 1
            $0.isUnsignalled = true
        }
    }

    /// Takes the link down, whatever the network's is, or lets it be up. Frames are lost while it is down. Any thread, after `start`
    /// and before `stop`.
    package func setLink(isUp: Bool) {
        changeLink { $0.isAllowed = isUp }
        service?.wake()
    }

    /// Changes the limit of the frames in each direction. Any thread, after `start` and before `stop`; not at the same time as another
    /// call.
    package func setRate(_ rate: DeviceRate) throws(SystemError) {
        try receiveLimiter.set(rate)
        try transmitLimiter.set(rate)
    }

    package func activate(_ session: VirtioSession) {
        backend.activate(session.offloads)
        if session.has(NetworkFeature.announcement) {
            link.withLock { $0.isUnsignalled = $0.isUnsignalled || $0.mustAnnounce }
        }
    }

    package func awaken(_ session: VirtioSession) {
        let isChanged = link.withLock { link in
            defer { link.isUnsignalled = false }
            return link.isUnsignalled
        }
        if isChanged { session.signals.signalConfigurationChange() }
    }

    package func reset() {
        filter = ReceiveFilter(address: link.withLock(\.address))
        link.withLock { $0.mustAnnounce = false }
    }

    package func stop() {
        receiveLimiter.stop()
        transmitLimiter.stop()
        backend.stop()
        service = nil
    }

    // MARK: State

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: "virtio-network", version: 1)
        record.set("generation", configurationGeneration)
        record.set("address", link.withLock(\.address).value)
        record.set("network", backend.save())
        filter.save(into: &record)
        return record
    }

    /// The restored driver announces itself: its network may be another one.
    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "virtio-network", versions: 1...1)
        filter = try ReceiveFilter(state)
        backend.restore(try state.bytes("network", limit: Self.longestNetworkState))
        let generation: UInt32 = try state.integer("generation")
        let address = MACAddress(value: try state.integer("address"))
        link.withLock {
            if !isAddressGiven { $0.address = address }
            $0.generation = generation &+ 1
            // Under the old address, a copy would announce itself in place of the machine that was saved.
            $0.mustAnnounce = $0.address == address
        }
    }
}

extension VirtioSession {
    private static let ecn: UInt8 = 0x80

    fileprivate func allows(sending segmentation: UInt8) -> Bool {
        allows(segmentation, NetworkFeature.hostTSO4, NetworkFeature.hostTSO6, NetworkFeature.hostECN)
    }

    fileprivate func allows(receiving segmentation: UInt8) -> Bool {
        allows(segmentation, NetworkFeature.guestTSO4, NetworkFeature.guestTSO6, NetworkFeature.guestECN)
    }

    /// Whether a header's segmentation is one of those that were negotiated (section 5.1.6.2).
    private func allows(_ segmentation: UInt8, _ version4: UInt64, _ version6: UInt64, _ ecn: UInt64) -> Bool {
        guard segmentation & Self.ecn == 0 || has(ecn) else { return false }
        switch segmentation & ~Self.ecn {
        case 0: return segmentation == 0
        case 1: return has(version4)
        case 4: return has(version6)
        default: return false
        }
    }

    /// The offloads of frames to the guest that the driver accepts.
    fileprivate var offloads: ReceiveOffloads {
        var result: ReceiveOffloads = []
        if has(NetworkFeature.guestChecksum) { result.insert(.partialChecksums) }
        if has(NetworkFeature.guestTSO4) { result.insert(.segmentsIPv4) }
        if has(NetworkFeature.guestTSO6) { result.insert(.segmentsIPv6) }
        if has(NetworkFeature.guestECN) { result.insert(.segmentsWithECN) }
        return result
    }
}
