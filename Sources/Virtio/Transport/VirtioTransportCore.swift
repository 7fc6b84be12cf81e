internal import GuestMemory
internal import Synchronization

/// What the transports have in common: the driver's view of a device, and what its writes set off.
final class VirtioTransportCore: Sendable {
    /// What the driver has set up of one queue.
    struct QueueState {
        var layout = VirtQueueLayout()
        var queue: VirtQueue?
        // A vCPU is waiting for the device to let go of the queue; what others write to it meanwhile is ignored.
        var isStopping = false
    }

    /// The driver's view of the device.
    struct State {
        var status: UInt8 = 0
        var deviceFeaturesSelect: UInt32 = 0
        var driverFeaturesSelect: UInt32 = 0
        var driverFeatures: UInt64 = 0
        var queueSelect: UInt32 = 0
        var queues: [QueueState]
        // A vCPU is waiting for the device to stop; what others write meanwhile is ignored.
        var isResetting = false
        /// The driver notified a queue before DRIVER_OK, which the legacy interface allows (section 3.1.2).
        var isUsedEarly = false

        init(queueCount: Int) {
            queues = Array(repeating: QueueState(), count: queueCount)
        }

        var isLive: Bool { status & VirtioStatus.driverOK != 0 || isUsedEarly }

        /// Features can be changed until the driver says that they are final, or uses the device.
        var areFeaturesFinal: Bool { isLive || status & VirtioStatus.featuresOK != 0 }

        /// The selected queue, when there is one.
        var selected: Int? { queueSelect < queues.count ? Int(queueSelect) : nil }
    }

    let device: any VirtioDevice
    let memory: GuestMemory
    let signals: any TransportSignals
    let offeredFeatures: UInt64
    let queueSizes: [UInt16]
    // Never held while the device is asked to stop anything, which may wait for host I/O.
    let state: Mutex<State>

    /// - Parameters:
    ///   - features: the transport's and the queues' bits.
    ///   - mask: the bits for which the transport has registers.
    init(
        device: any VirtioDevice, memory: GuestMemory, signals: any TransportSignals,
        features: UInt64 = VirtioFeatures.common, mask: UInt64 = .max
    ) {
        self.device = device
        self.memory = memory
        self.signals = signals
        offeredFeatures = (device.features | features) & mask
        queueSizes = device.queueSizes
        state = Mutex(State(queueCount: queueSizes.count))
    }

    // MARK: Lifecycle

    func start() throws {
        try device.start()
        signals.driveLine()
    }

    func pause() { device.pause() }

    func resume() {
        signals.driveLine()
        device.resume()
    }

    func stop() { device.stop() }

    func reset() {
        device.reset()
        signals.reset()
        state.withLock { $0 = State(queueCount: queueSizes.count) }
    }

    // MARK: What the driver's writes set off

    /// A write to Status.
    func writeStatus(_ value: UInt8) {
        guard value != 0 else { return resetByDriver() }
        state.withLock { state in
            guard !state.isResetting else { return }
            let wasLive = state.isLive
            state.status = VirtioStatus.advanced(
                state.status, writing: value, featuresAcceptable: state.driverFeatures & ~offeredFeatures == 0)
            // Under the lock, so that a reset by another vCPU comes before or after all of it; nothing here waits.
            if state.isLive, !wasLive { goLive(&state) }
        }
    }

    /// A legacy driver notifies a queue that it has set up before DRIVER_OK: the device begins to work.
    func beginEarly(queue index: UInt32) {
        state.withLock { state in
            guard !state.isLive, !state.isResetting, index < state.queues.count,
                state.queues[Int(index)].queue != nil
            else { return }
            state.isUsedEarly = true
            goLive(&state)
        }
    }

    private func goLive(_ state: inout State) {
        // A driver that never said FEATURES_OK may have chosen features that were not offered, or after its queues.
        state.driverFeatures &= offeredFeatures
        for index in state.queues.indices where state.queues[index].queue != nil {
            state.queues[index].queue = nil
            enableQueue(index, &state, starting: false)
        }
        signals.goLive()
        activate(state)
    }

    func activate(_ state: State) {
        // A queue that was wrong before DRIVER_OK leaves nothing to do but reset.
        guard !signals.needsReset else { return }
        device.activate(VirtioSession(features: state.driverFeatures, memory: memory, signals: signals))
        for case let queue? in state.queues.map(\.queue) { device.startQueue(queue) }
    }

    private func resetByDriver() {
        let mine = state.withLock { state in
            let free = !state.isResetting && !state.queues.contains { $0.isStopping }
            if free { state.isResetting = true }
            return free
        }
        // Another vCPU is at it already; the driver that uses two vCPUs for this reads the status until it is 0.
        guard mine else { return }
        reset()
    }

    /// A write of 1 to QueueReady: the queue is checked, and used from now on or from DRIVER_OK on.
    func enableQueue(_ index: Int, _ state: inout State, starting: Bool = true) {
        guard state.queues[index].queue == nil, !signals.needsReset else { return }
        do {
            let queue = try VirtQueue(
                index: index, layout: state.queues[index].layout, limit: queueSizes[index], memory: memory,
                features: state.driverFeatures & offeredFeatures)
            state.queues[index].queue = queue
            if state.isLive, starting { device.startQueue(queue) }
        } catch {
            signals.signalNeedsReset(error)
        }
    }

    /// A write of 0 to QueueReady, or of 1 to QueueReset: returns when the device has let go of the queue.
    ///
    /// - Parameter forgetting: also forget its size and addresses.
    func disableSelectedQueue(forgetting: Bool) {
        let index: Int? = state.withLock { state in
            guard let index = state.selected, !state.isResetting, !state.queues[index].isStopping else { return nil }
            state.queues[index].isStopping = true
            return index
        }
        guard let index else { return }
        device.stopQueue(index)
        state.withLock { state in
            state.queues[index].queue = nil
            state.queues[index].isStopping = false
            if forgetting { state.queues[index].layout = VirtQueueLayout() }
        }
    }

    /// A write to QueueNotify.
    func notify(_ index: UInt32) {
        let isUsable = state.withLock { state in
            state.isLive && !state.isResetting && index < state.queues.count && state.queues[Int(index)].queue != nil
        }
        if isUsable { device.notify(queue: Int(index)) }
    }
}
