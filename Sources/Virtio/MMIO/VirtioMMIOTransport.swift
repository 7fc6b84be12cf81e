package import GuestMemory
package import Machine
package import SavedState

/// A virtio device behind the registers of virtio-mmio, version 2 (VIRTIO 1.2, section 4.2.2).
///
/// The region is 512 bytes on our boards: 256 of registers, which take aligned accesses of 4 bytes, and the device's
/// configuration, which takes any. See `VirtioMMIOTransport+Registers.swift` for the layout.
package final class VirtioMMIOTransport: MemoryMappedDevice {
    package let name: String
    let core: VirtioTransportCore
    let signals: MMIOSignals

    package var device: any VirtioDevice { core.device }

    /// Puts `device` behind registers; the transport is the only user of it from then on.
    package init(name: String, device: any VirtioDevice, memory: GuestMemory, interrupt: InterruptLine) {
        self.name = name
        signals = MMIOSignals(line: interrupt)
        core = VirtioTransportCore(device: device, memory: memory, signals: signals)
    }

    // MARK: Lifecycle

    package func start() throws { try core.start() }
    package func pause() { core.pause() }
    package func resume() { core.resume() }
    package func stop() { core.stop() }
    package func reset() { core.reset() }

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: "virtio-mmio", version: 1)
        try core.save(into: &record)
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: "virtio-mmio", versions: 1...1)
        try core.restore(record)
    }
}
