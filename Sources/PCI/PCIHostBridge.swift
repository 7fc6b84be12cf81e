internal import Machine
internal import SavedState

/// The host bridge's function on its own bus, without registers.
final class PCIHostBridge: PCIFunction {
    let name = "pci-host-bridge"
    // Red Hat's identifiers for a generic PCI Express host bridge, which no driver binds to.
    let configuration = PCIConfiguration(
        vendor: 0x1B36, device: 0x0008, revision: 0, classCode: 0x060000, subsystemVendor: 0x1AF4, subsystem: 0x1100,
        hasInterruptPin: false)

    func read(bar: Int, offset: UInt64, size: Int) -> UInt64 { 0 }
    func write(bar: Int, offset: UInt64, size: Int, value: UInt64) {}
    func configurationWritten(at offset: Int, size: Int) {}
    func configurationWillBeRead(at offset: Int, size: Int) {}
    func connect(_ line: InterruptLine) {}

    func reset() { configuration.reset() }
    func save() throws(SavedStateError) -> SavedRecord { configuration.save() }
    func restore(_ record: SavedRecord) throws(SavedStateError) { try configuration.restore(record) }
}
