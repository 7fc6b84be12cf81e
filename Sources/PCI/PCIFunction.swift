package import Machine

/// A function of a PCI device: its configuration space, and what lies behind its base address registers.
package protocol PCIFunction: Device {
    var configuration: PCIConfiguration { get }

    /// Reads 1, 2, 4 or 8 bytes at `offset` of base address register `bar`, as `MemoryMappedDevice` does.
    func read(bar: Int, offset: UInt64, size: Int) -> UInt64

    /// Writes there, under the same rules.
    func write(bar: Int, offset: UInt64, size: Int, value: UInt64)

    /// The guest has written to configuration space at `offset`; what it says now is in `configuration`.
    func configurationWritten(at offset: Int, size: Int)

    /// Before a read of configuration space, for registers that change by themselves.
    func configurationWillBeRead(at offset: Int, size: Int)

    /// The function is in its place and gets its interrupt pin; nil for one that has none.
    func connect(_ line: InterruptLine)
}
