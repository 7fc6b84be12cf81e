package import GuestMemory
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

/// A virtio device without its transport: its features and its configuration, and the answers to the requests in its queues.
///
/// A transport (MMIO or PCI) owns the device, keeps the driver's view of it (status, features, queue addresses), and has a
/// `QueueService` run it on the event loop of the machine. The service calls, in this order:
/// 1. `start` once, from the thread that composes the machine, while nothing else runs. When it throws, nothing follows.
/// 2. `activate` when the driver has set DRIVER_OK, and after a restore.
/// 3. `serve` for each request. It never blocks: what has to wait for the host is `pending`, and `QueueService.finish`
///    follows on the loop's thread. `awaken` comes first when the device called `wake`, and after `activate` and a resume.
/// 4. `abandon` when the driver stops a queue: requests of it that are pending are cancelled, and every one of them is still
///    finished. `reset` after that for all queues, when the driver resets the device; also before a restore.
/// 5. `stop` once, last, from the thread that composes the machine.
///
/// From `activate` to `reset` calls come on the loop's thread, or on one that visits the loop (`EventLoop.visit`), so that they need no locks among each other. While the machine
/// is paused no request is pending and nothing is called; `save` and `restore` happen then.
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

    /// Whether a vCPU that notifies a queue may serve it on its own thread when the loop waits: for devices that answer most requests
    /// sooner than the loop's thread wakes up. Asked at each notification, by any thread.
    var servesNotifier: Bool { get }

    func start(_ service: QueueService) throws
    func activate(_ session: VirtioSession)
    func awaken(_ session: VirtioSession)

    /// - Throws: when the driver broke a rule; the device then needs a reset.
    func serve(_ request: TakenRequest, _ session: VirtioSession) throws(VirtQueueError) -> RequestProgress
    func abandon(queue index: Int)
    func reset()
    func stop()

    /// What the guest can observe of the device besides what the transport saves.
    func save() throws(SavedStateError) -> SavedRecord
    func restore(_ state: SavedRecord) throws(SavedStateError)
}

extension VirtioDevice {
    // A device without host I/O has nothing to do at these points. State has no default.
    package var servesNotifier: Bool { false }
    package func start(_ service: QueueService) throws {}
    package func activate(_ session: VirtioSession) {}
    package func awaken(_ session: VirtioSession) {}
    package func abandon(queue index: Int) {}
    package func reset() {}
    package func stop() {}
}

/// How a device reaches its driver. A transport implements it with a register and a line, or with a message for each queue.
///
/// Any thread; never while the device is paused.
package protocol VirtioSignals: AnyObject, Sendable {
    /// Tells the driver that queue `index` has used buffers.
    func signalQueue(_ index: Int)

    /// Tells the driver to read the configuration again.
    func signalConfigurationChange()

    /// The driver broke the rules of a queue: sets DEVICE_NEEDS_RESET and tells the driver so (section 2.1.2).
    func signalNeedsReset(_ reason: VirtQueueError)
}

/// The device's side of a driver's use of it, from DRIVER_OK until its reset.
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
