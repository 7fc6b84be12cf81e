package import HostNetwork
package import HostSystem
package import SavedState
internal import Synchronization
package import Virtio

/// A network card (VIRTIO 1.2, section 5.1): pairs of queues, and a control queue behind the pairs that the driver knows of.
///
///     queue   0  1  2  3  ...  2N-2  2N-1  2N         with VIRTIO_NET_F_MQ; N is `pairCount`
///             R  T  R  T         R     T   control    R receives, T transmits
///             R  T  control                           without
///
///     offset  size  configuration
///          0     6  MAC address
///          6     2  status: 1 link up, 2 the driver shall announce itself
///          8     2  most pairs of queues
///         10     2  MTU
package final class NetworkDevice: VirtioDevice, @unchecked Sendable {
    // @unchecked: `link` is a lock. The rest is used on the loop's thread, or while the device is paused.

    /// The most pairs of queues of a card.
    package static let mostPairs = 16
    private static let queueSize: UInt16 = 256
    private static let controlQueueSize: UInt16 = 64
    static func receiveQueue(of pair: Int) -> Int { 2 * pair }
    static func transmitQueue(of pair: Int) -> Int { 2 * pair + 1 }

    private static let longestNetworkState = 4096

    struct Link {
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
    package let queueSizes: [UInt16]
    let pairCount: Int

    let backend: any NetworkBackend
    private let log: Log
    /// The owner of the machine has chosen the address: it is not taken from a saved state.
    private let isAddressGiven: Bool
    let link: Mutex<Link>
    let receiveLimiter: RateLimiter
    let transmitLimiter: RateLimiter
    /// Frames that the guest has received (`in`) and sent.
    package let counters = TransferCounters()
    var filter: ReceiveFilter
    /// How many pairs the driver uses, from the first one on.
    var activePairs = 1
    var steering = FlowSteering()
    /// Frames that were taken off the network.
    var consumedCount: UInt64 = 0
    var isDistributing = false
    var willDistribute = false
    var willContinue = false
    /// The pair that sends first when there is room again.
    var firstTransmitter = 0
    // A frame on its way out, or one whose checksum is finished on its way in.
    let frame = UnsafeMutableRawBufferPointer.allocate(byteCount: Ethernet.longestFrame, alignment: 16)

    /// - Parameters:
    ///   - backend: carries the card's frames; the device is its only user.
    ///   - address: the card's MAC address, unless the driver sets another.
    ///   - isAddressGiven: whether the card has this address also after the restore of a state with another one. The driver keeps the address
    ///     that it uses until it sets a new one.
    ///   - pairCount: how many pairs of queues the driver may use, 1 to `mostPairs`.
    ///   - rate: limits the frames in each direction.
    ///   - clocks: the times of the rates of receiving and sending; nil is the host's.
    ///   - log: takes the backend's messages.
    package init(
        backend: any NetworkBackend, address: MACAddress, isAddressGiven: Bool = false, pairCount: Int = 1,
        rate: DeviceRate = DeviceRate(),
        clocks: (receive: any RateClock, transmit: any RateClock)? = nil, log: Log = .silent
    ) {
        precondition((1...Self.mostPairs).contains(pairCount), "a card has 1 to 16 pairs of queues")
        self.backend = backend
        self.pairCount = pairCount
        queueSizes = Array(repeating: Self.queueSize, count: 2 * pairCount) + [Self.controlQueueSize]
        self.log = log
        self.isAddressGiven = isAddressGiven
        receiveLimiter = RateLimiter(rate, clock: clocks?.receive ?? HostRateClock())
        transmitLimiter = RateLimiter(rate, clock: clocks?.transmit ?? HostRateClock())
        features =
            NetworkFeature.always | (backend.hasSegmentation ? NetworkFeature.segmentation : 0)
            | (pairCount > 1 ? NetworkFeature.multiQueue : 0)
        link = Mutex(Link(address: address, isConnected: backend.isLinkUp))
        filter = ReceiveFilter(address: address)
    }

    deinit { frame.deallocate() }

    // MARK: Configuration

    package var configuration: [UInt8] {
        let (address, status) = link.withLock { ($0.address, $0.status) }
        let words = [status, UInt16(pairCount), backend.mtu]
        return address.bytes + words.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    }

    package var configurationGeneration: UInt32 { link.withLock(\.generation) }

    package func writeConfiguration(_ bytes: [UInt8], at offset: Int) {}

    // MARK: Requests

    package func serve(_ request: TakenRequest, _ session: VirtioSession) throws(VirtQueueError) -> RequestProgress {
        let controlQueue = session.has(NetworkFeature.multiQueue) ? 2 * pairCount : 2
        if request.queue == controlQueue { return control(request.chain, session) }
        return request.queue % 2 == 0 ? try receive(request, session) : transmit(request, session)
    }

    // MARK: Lifecycle

    var service: QueueService?

    package func start(_ service: QueueService) throws {
        self.service = service
        try receiveLimiter.start(on: service.loop) { [weak self] in self?.receiveAll() }
        try transmitLimiter.start(on: service.loop) { [weak self] in self?.transmitAll() }
        try backend.start(on: service.loop, log: log) { [weak self] event in self?.take(event) }
    }

    private func take(_ event: NetworkEvent) {
        switch event {
        case .readable(let queue): receiveFrames(from: queue)
        case .writable(let queue):
            // Pairs that the network has no queues for share the last one.
            let isShared = queue >= backend.queueCount - 1
            if isShared { transmitAll() } else { service?.look(at: Self.transmitQueue(of: queue)) }
        case .link:
            let isUp = backend.isLinkUp
            changeLink { $0.isConnected = isUp }
            // While the machine is paused, this waits for its resumption.
            service?.wake()
        }
    }

    func changeLink(_ change: (inout Link) -> Void) {
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
        // Also those of a driver that was restored.
        backend.useQueues(min(activePairs, backend.queueCount))
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
        setActivePairs(1)
        steering.forget()
        link.withLock { $0.mustAnnounce = false }
    }

    /// Frames for a pair whose queue is gone go to the first.
    package func abandon(queue: Int) {
        if isSteering { distributeSoon() }
    }

    package func stop() {
        receiveLimiter.stop()
        transmitLimiter.stop()
        backend.stop()
        service = nil
    }

    // MARK: State

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: "virtio-network", version: 2)
        record.set("generation", configurationGeneration)
        record.set("address", link.withLock(\.address).value)
        record.set("network", backend.save())
        record.set("activePairs", UInt32(activePairs))
        filter.save(into: &record)
        return record
    }

    /// The restored driver announces itself: its network may be another one.
    package func restore(_ state: SavedRecord) throws(SavedStateError) {
        try state.expect(kind: "virtio-network", versions: 1...2)
        // Version 1 has one pair.
        let pairs: UInt32 = state.version == 1 ? 1 : try state.integer("activePairs")
        guard (1...UInt32(pairCount)).contains(pairs) else {
            throw .badField(kind: state.kind, field: "activePairs")
        }
        activePairs = Int(pairs)
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
