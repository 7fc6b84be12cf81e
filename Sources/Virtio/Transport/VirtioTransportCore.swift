internal import GuestMemory
internal import HostSystem
internal import Synchronization

/// What the transports have in common: the driver's view of a device, and what its writes set off.
final class VirtioTransportCore: Sendable {
    /// What the driver has set up of one queue.
    struct QueueState {
        var layout = VirtQueueLayout()
        var queue: VirtQueue?
        // The device has not let go of the queue yet; writes to its registers are ignored meanwhile.
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
        // The device has not let go of everything yet; writes are ignored meanwhile.
        var isResetting = false
        /// The number of resets. The end of a queue's stop counts only for the reset before which it began.
        var epoch: UInt64 = 0
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

    /// The longest time that a vCPU waits for a reset, in nanoseconds. It takes longer only when the host does not finish I/O
    /// that cannot be cancelled; the driver then reads the register until the reset is complete, as the standard asks of it
    /// (sections 2.4.2 and 2.6.1.2). Linux's driver for virtio-mmio does not do so, which is why a vCPU waits at all, and longer than
    /// the thread of the devices waits for a processor on a busy host.
    private static let patience: UInt64 = 1_000_000_000

    let device: any VirtioDevice
    let memory: GuestMemory
    let signals: any TransportSignals
    let offeredFeatures: UInt64
    /// How many words of features the driver can accept: one over the legacy interface.
    let featureWords: UInt32
    let queueSizes: [UInt16]
    let service: QueueService
    // Never held while anybody waits for the device.
    let state: Mutex<State>

    /// - Parameters:
    ///   - features: the transport's and the queues' bits.
    ///   - mask: the bits for which the transport has registers.
    init(
        name: String, device: any VirtioDevice, memory: GuestMemory, signals: any TransportSignals, loop: EventLoop,
        log: Log, features: UInt64 = VirtioFeatures.common, mask: UInt64 = .max
    ) {
        self.device = device
        self.memory = memory
        self.signals = signals
        offeredFeatures = (device.features | features) & mask
        featureWords = mask >> 32 == 0 ? 1 : 2
        queueSizes = device.queueSizes
        service = QueueService(name: name, device: device, memory: memory, signals: signals, loop: loop, log: log)
        state = Mutex(State(queueCount: queueSizes.count))
    }

    // MARK: Lifecycle

    func start() throws {
        try service.start()
        signals.driveLine()
    }

    func pause() { service.pause() }

    func resume() {
        signals.driveLine()
        service.resume()
    }

    func stop() { service.stop() }

    func abandon() { service.abandon() }

    /// While the machine is paused: nothing is in flight.
    func reset() {
        resetDevice()
        finishReset()
    }

    /// Gives the device the state of power-on, at once because nothing is in flight.
    func resetDevice() {
        let done = Completion()
        service.reset { done.signal() }
        done.wait()
    }

    private func finishReset() {
        signals.reset()
        state.withLock { state in
            let epoch = state.epoch
            state = State(queueCount: queueSizes.count)
            state.epoch = epoch + 1
        }
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
            // A queue that another vCPU stops now is not the device's again.
            if !state.queues[index].isStopping { enableQueue(index, &state, starting: false) }
        }
        signals.goLive()
        activate(state)
    }

    func activate(_ state: State) {
        // A queue that was wrong before DRIVER_OK leaves nothing to do but reset.
        guard !signals.needsReset else { return }
        service.activate(features: state.driverFeatures, queues: state.queues.compactMap(\.queue))
    }

    /// A write of 0 to Status. Queues that are being stopped are stopped with the rest.
    private func resetByDriver() {
        let isFirst = state.withLock { state in
            defer { state.isResetting = true }
            return !state.isResetting
        }
        // Another vCPU has begun it; its driver reads the status until it is 0.
        guard isFirst else { return }
        let done = Completion()
        service.reset { [self] in
            finishReset()
            done.signal()
        }
        done.wait(atMost: Self.patience)
    }

    /// A write of 1 to QueueReady: the queue is checked, and used from now on or from DRIVER_OK on.
    func enableQueue(_ index: Int, _ state: inout State, starting: Bool = true) {
        guard state.queues[index].queue == nil, !signals.needsReset else { return }
        do {
            let queue = try VirtQueue(
                index: index, layout: state.queues[index].layout, limit: queueSizes[index], memory: memory,
                features: state.driverFeatures & offeredFeatures)
            state.queues[index].queue = queue
            if state.isLive, starting { service.startQueue(queue) }
        } catch {
            service.report(error)
        }
    }

    /// A write of 0 to QueueReady, or of 1 to QueueReset: the device lets go of the queue. The register says when it has.
    ///
    /// - Parameter forgetting: also forget its size and addresses.
    func disableSelectedQueue(forgetting: Bool) {
        let target: (index: Int, epoch: UInt64)? = state.withLock { state in
            guard let index = state.selected, !state.isResetting, !state.queues[index].isStopping else { return nil }
            state.queues[index].isStopping = true
            return (index, state.epoch)
        }
        guard let target else { return }
        let done = Completion()
        service.stopQueue(target.index) { [self] in
            finishStop(target.index, target.epoch, forgetting: forgetting)
            done.signal()
        }
        done.wait(atMost: Self.patience)
    }

    private func finishStop(_ index: Int, _ epoch: UInt64, forgetting: Bool) {
        state.withLock { state in
            guard state.epoch == epoch else { return }
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
        if isUsable { service.notify(Int(index)) }
    }
}
