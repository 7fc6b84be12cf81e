package import GuestMemory
package import HostSystem
package import Machine
package import SavedState
internal import Synchronization

/// A virtio device behind the registers of virtio-mmio, in version 2 or 1 (VIRTIO 1.2, sections 4.2.2 and 4.2.4).
///
/// The board gives it a region of 4 KiB: 256 bytes of registers, which take aligned accesses of 4 bytes, and the device's
/// configuration, which takes any. `MMIORegister` has the layout.
package final class VirtioMMIOTransport: MemoryMappedDevice {
    package let name: String
    let version: VirtioMMIOVersion
    let core: VirtioTransportCore
    let signals: MMIOSignals
    /// Version 1 only. May be taken while the core's state is locked, never the other way round.
    let legacy: Mutex<LegacyQueueRegisters>

    package var device: any VirtioDevice { core.device }

    /// Puts `device` behind registers; the transport is the only user of it from then on.
    ///
    /// - Parameters:
    ///   - loop: the event loop on which the device serves its queues. It runs from before `start` until after `stop`.
    ///   - log: takes the reasons for which the device needs a reset.
    package init(
        name: String, device: any VirtioDevice, memory: GuestMemory, interrupt: InterruptLine,
        version: VirtioMMIOVersion = .modern, loop: EventLoop, log: Log = .silent
    ) {
        self.name = name
        self.version = version
        signals = MMIOSignals(line: interrupt)
        let isLegacy = version == .legacy
        core = VirtioTransportCore(
            name: name, device: device, memory: memory, signals: signals, loop: loop, log: log,
            features: isLegacy ? VirtioFeatures.legacyCommon : VirtioFeatures.common,
            mask: isLegacy ? VirtioFeatures.legacyMask : .max)
        legacy = Mutex(LegacyQueueRegisters(queueCount: core.queueSizes.count))
    }

    // MARK: Lifecycle

    package func start() throws { try core.start() }
    package func abandon() { core.abandon() }
    package func pause() { core.pause() }
    package func resume() { core.resume() }
    package func stop() { core.stop() }

    package func reset() {
        core.reset()
        legacy.withLock { $0 = LegacyQueueRegisters(queueCount: core.queueSizes.count) }
    }

    private var kind: String { version == .legacy ? "virtio-mmio-legacy" : "virtio-mmio" }

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: kind, version: 1)
        try core.save(into: &record)
        if version == .legacy {
            legacy.withLock { $0 }.save(into: &record)
            record.set("isUsedEarly", core.state.withLock { $0.isUsedEarly })
        }
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: kind, versions: 1...1)
        guard version == .legacy else { return try core.restore(record) }
        let registers = try LegacyQueueRegisters(record, queueCount: core.queueSizes.count)
        try core.restore(record, isUsedEarly: try record.boolean("isUsedEarly"))
        legacy.withLock { $0 = registers }
    }
}
