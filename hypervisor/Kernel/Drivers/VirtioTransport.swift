import Support

/// One of the board's virtio devices behind MMIO registers: version 2 (VIRTIO 1.2, section 4.2.2), or version 1, the legacy
/// interface (section 4.2.4), which QEMU's `virt` has unless it is told otherwise.
struct VirtioTransport {
    static let version1: UInt64 = 1 << 32
    private static let acknowledge: UInt32 = 1
    private static let driver: UInt32 = 2
    private static let driverOK: UInt32 = 4
    private static let featuresOK: UInt32 = 8
    private static let needsReset: UInt32 = 64
    private static let failed: UInt32 = 128

    let base: UInt64
    let interrupt: BoardInterrupt
    let isLegacy: Bool
    /// 0: no device; 1: a network card; 2: a disk.
    let deviceID: UInt32

    /// nil: the registers are not virtio's.
    init?(_ place: Board.VirtioPlace) {
        base = place.address
        interrupt = place.interrupt
        guard hv_load32(base) == 0x7472_6976 else { return nil }
        let version = hv_load32(base + 4)
        guard version == 1 || version == 2 else { return nil }
        isLegacy = version == 1
        deviceID = hv_load32(base + 8)
    }

    /// The device's initialization up to its queues (section 3.1.1).
    ///
    /// - Returns: the features that device and driver have in common; nil: the device does not accept them.
    func negotiate(_ wanted: UInt64) -> UInt64? {
        hv_store32(base + 0x70, 0)
        var attempts = 0
        while hv_load32(base + 0x70) != 0, attempts < 100_000 { attempts += 1 }
        hv_store32(base + 0x70, Self.acknowledge)
        hv_store32(base + 0x70, Self.acknowledge | Self.driver)
        var offered: UInt64 = 0
        // A legacy device has the first 32 features only.
        for select in 0..<UInt32(isLegacy ? 1 : 2) {
            hv_store32(base + 0x14, select)
            offered |= UInt64(hv_load32(base + 0x10)) << UInt64(32 * select)
        }
        let features = offered & (isLegacy ? wanted : wanted | Self.version1)
        for select in 0..<UInt32(isLegacy ? 1 : 2) {
            hv_store32(base + 0x24, select)
            hv_store32(base + 0x20, UInt32(truncatingIfNeeded: features >> UInt64(32 * select)))
        }
        if isLegacy {
            hv_store32(base + 0x28, 4096)
            return features
        }
        hv_store32(base + 0x70, Self.acknowledge | Self.driver | Self.featuresOK)
        guard features & Self.version1 != 0, hv_load32(base + 0x70) & Self.featuresOK != 0 else {
            hv_store32(base + 0x70, Self.failed)
            return nil
        }
        return features
    }

    /// Makes queue `index` in `memory`, which is zeroed and has `DriverQueue.bytes`; nil: the device has no such queue.
    func makeQueue(_ index: UInt32, _ memory: UInt64) -> DriverQueue? {
        hv_store32(base + 0x30, index)
        var size: UInt32 = 1
        while size * 2 <= min(hv_load32(base + 0x34), UInt32(DriverQueue.mostDescriptors)) { size *= 2 }
        guard size >= 8 else { return nil }
        hv_store32(base + 0x38, size)
        let queue = DriverQueue(memory, size: UInt16(size))
        if isLegacy {
            hv_store32(base + 0x3c, 4096)
            hv_store32(base + 0x40, UInt32(truncatingIfNeeded: memory >> 12))
        } else {
            store(0x80, queue.descriptors)
            store(0x90, queue.available)
            store(0xa0, queue.used)
            hv_store32(base + 0x44, 1)
        }
        return queue
    }

    private func store(_ register: UInt64, _ address: UInt64) {
        hv_store32(base + register, UInt32(truncatingIfNeeded: address))
        hv_store32(base + register + 4, UInt32(address >> 32))
    }

    /// Ends the initialization: the device may use its queues.
    func start() {
        hv_store32(base + 0x70, hv_load32(base + 0x70) | Self.driverOK)
    }

    func notify(_ queue: UInt32) {
        hv_fence_devices()
        hv_store32(base + 0x50, queue)
    }

    /// Reads and clears the interrupt's reasons. Call before a look at the used rings: later completions interrupt again.
    ///
    /// - Returns: whether the device has stopped and waits for a reset (section 2.1.2), which it says by a change of its configuration.
    @discardableResult
    func acknowledgeInterrupt() -> Bool {
        let reasons = hv_load32(base + 0x60)
        hv_store32(base + 0x64, reasons)
        hv_fence_devices()
        return reasons & 2 != 0 && hv_load32(base + 0x70) & Self.needsReset != 0
    }

    // The configuration space.
    func configuration8(_ offset: UInt64) -> UInt8 { hv_load8(base + 0x100 + offset) }
    func configuration32(_ offset: UInt64) -> UInt32 { hv_load32(base + 0x100 + offset) }
    func configuration64(_ offset: UInt64) -> UInt64 {
        UInt64(configuration32(offset)) | UInt64(configuration32(offset + 4)) << 32
    }
}
