internal import Machine
package import SavedState

/// The I/O ports of a host bridge, in memory. No function has registers there: reads are all ones, and writes are lost.
package final class PCIPortWindow: MemoryMappedDevice {
    /// 16 bits of port numbers.
    package static let size: UInt64 = 1 << 16
    private static let kind = "pci-port-window"

    package let name: String

    package init(name: String) {
        self.name = name
    }

    package func read(offset: UInt64, size: Int) -> UInt64 { UInt64.max >> UInt64(64 - 8 * size) }

    package func write(offset: UInt64, size: Int, value: UInt64) {}

    package func reset() {}

    package func save() throws(SavedStateError) -> SavedRecord { SavedRecord(kind: Self.kind, version: 1) }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
    }
}
