internal import Machine
package import SavedState

/// The addresses in which a host bridge's functions have their registers, wherever the guest places them.
package final class PCIWindow: MemoryMappedDevice {
    package let name: String
    private let host: PCIHost
    private let base: UInt64

    /// - Parameter base: where the board attaches this: what functions are told are addresses.
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

    /// Nothing: everything is in the functions.
    package func save() throws(SavedStateError) -> SavedRecord { SavedRecord(kind: "pci-window", version: 1) }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: "pci-window", versions: 1...1)
    }
}
