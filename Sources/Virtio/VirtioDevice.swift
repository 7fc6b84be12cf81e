package import GuestMemory
package import HostSystem
package import SavedState

/// The kind of a virtio device (VIRTIO 1.2, section 5).
package enum VirtioDeviceType: UInt32, Sendable {
    case network = 1
    case block = 2
    case console = 3
    case entropy = 4
    case balloon = 5
    case fileSystem = 26
    case memory = 24
    case socket = 19
}

/// A virtio device without its transport: what it offers, and what it does with its queues.
///
/// A transport (MMIO now, PCI later) owns the device, keeps the driver's view of it (status, features, queue addresses) and
/// calls, in this order:
/// 1. `start` once.
/// 2. `activate` when the driver has set DRIVER_OK, then `startQueue` for each queue that the driver has set up, later
///    also for queues that it sets up again.
/// 3. `notify` for each notification of the driver, from any vCPU thread. It may come late: for a queue that was stopped,
///    or after `reset`; then it means nothing.
/// 4. `stopQueue` and `reset` from a vCPU thread when the driver says so: when they return, the device touches neither the
///    queues in question nor their buffers. They wait for host I/O that cannot be cancelled, and for nothing else.
/// 5. `pause`, `resume`, `save`, `restore` and `stop` as `Device` in module Machine demands of the transport. At `pause` a
///    device finishes the requests that it has taken off a queue, or puts them back; the rest waits in the queue. At
///    `resume`, and when a queue starts, it looks for waiting requests without a notification. `restore` is followed by
///    `activate` and `startQueue` when the driver had gone that far.
///
/// The configuration may be read and written from any vCPU thread at any time.
package protocol VirtioDevice: AnyObject, Sendable {
    var type: VirtioDeviceType { get }

    /// The device's own feature bits that it offers. They do not change.
    var features: UInt64 { get }

    /// The largest size of each queue, a power of 2 up to 32768; the number of queues. It does not change.
    var queueSizes: [UInt16] { get }

    /// All of the device-specific configuration, little endian. What lies beyond it reads as 0.
    var configuration: [UInt8] { get }

    /// Differs whenever two reads of `configuration` could have differed (section 2.5.1).
    var configurationGeneration: UInt32 { get }

    /// The driver writes 1 to 8 bytes at `offset`. Writes to what is not writable are ignored.
    func writeConfiguration(_ bytes: [UInt8], at offset: Int)

    func start() throws
    func activate(_ session: VirtioSession)
    func startQueue(_ queue: VirtQueue)
    func notify(queue index: Int)
    /// What wakes the thread that serves the queue: ringing it is as good as `notify`, and as meaningless at the wrong time.
    /// Nil when a notification needs more than that.
    func doorbell(queue index: Int) -> Doorbell?
    func stopQueue(_ index: Int)
    func reset()
    func pause()
    func resume()
    func stop()

    /// What the guest can observe of the device besides what the transport saves.
    func save() throws(SavedStateError) -> SavedRecord
    func restore(_ state: SavedRecord) throws(SavedStateError)
}

/// How a device reaches its driver. A transport implements it with a register and a line, or with a message for each queue.
///
/// Any thread; never while the device is paused.
package protocol VirtioSignals: AnyObject, Sendable {
    /// Tells the driver that queue `index` has used buffers.
    func signalQueue(_ index: Int)

    /// Tells the driver to read the configuration again.
    func signalConfigurationChange()

    /// The driver broke the rules of a queue: sets DEVICE_NEEDS_RESET and tells the driver so (section 2.1.2). The device
    /// must not touch its queues until `reset`.
    func signalNeedsReset(_ reason: VirtQueueError)
}

/// What a device works with from DRIVER_OK until its reset.
package struct VirtioSession: Sendable {
    /// The features that driver and device agreed on.
    package let features: UInt64
    package let memory: GuestMemory
    package let signals: any VirtioSignals

    package init(features: UInt64, memory: GuestMemory, signals: any VirtioSignals) {
        self.features = features
        self.memory = memory
        self.signals = signals
    }

    package func has(_ feature: UInt64) -> Bool { features & feature != 0 }
}
