internal import Machine
package import SavedState

/// A host bridge's memory window: guest-physical addresses that are forwarded to the functions' registers.
package final class PCIWindow: MemoryMappedDevice {
    package let name: String
    private let host: PCIHost
    private let base: UInt64

    /// - Parameter base: the guest-physical address at which the board attaches the window.
    package init(name: String, host: PCIHost, base: UInt64) {
        self.name = name
        self.host = host
        self.base = base
    }

    package func read(offset: UInt64, size: Int) -> UInt64 { host.readWindow(at: base + offset, size: size) }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        host.writeWindow(at: base + offset, size: size, value: value)
    }

    package func reset() {}

    /// An empty record: the functions hold all state.
    package func save() throws(SavedStateError) -> SavedRecord { SavedRecord(kind: "pci-window", version: 1) }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: "pci-window", versions: 1...1)
    }
}
