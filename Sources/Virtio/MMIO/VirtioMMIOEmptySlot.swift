internal import Machine
package import SavedState

/// A slot of virtio-mmio without a device. A driver that probes it finds DeviceID 0 and leaves it alone (VIRTIO 1.2, section
/// 4.2.2).
package final class VirtioMMIOEmptySlot: MemoryMappedDevice {
    private static let kind = "virtio-mmio-empty"

    package let name: String
    private let version: VirtioMMIOVersion

    package init(name: String, version: VirtioMMIOVersion) {
        self.name = name
        self.version = version
    }

    package func read(offset: UInt64, size: Int) -> UInt64 {
        guard size == 4 else { return 0 }
        return switch offset {
        case MMIORegister.magicValue: MMIORegister.magic
        case MMIORegister.version: version.rawValue
        case MMIORegister.vendorID: MMIORegister.vendor
        default: 0
        }
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {}

    package func reset() {}

    package func save() throws(SavedStateError) -> SavedRecord { SavedRecord(kind: Self.kind, version: 1) }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
    }
}
