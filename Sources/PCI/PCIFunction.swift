package import Machine

/// A function of a PCI device: its configuration space and the registers in its base address registers.
package protocol PCIFunction: Device {
    var configuration: PCIConfiguration { get }

    /// Reads 1, 2, 4 or 8 bytes at `offset` of base address register `bar`, as `MemoryMappedDevice` does.
    func read(bar: Int, offset: UInt64, size: Int) -> UInt64

    /// Writes 1, 2, 4 or 8 bytes, under the rules of `read`.
    func write(bar: Int, offset: UInt64, size: Int, value: UInt64)

    /// Carries out the guest's write of 1 to 8 bytes to configuration space.
    func writeConfiguration(at offset: Int, size: Int, value: UInt64)

    /// Called after the guest's write to configuration space. `configuration` has the new contents.
    func configurationWritten(at offset: Int, size: Int)

    /// Called before the guest's read of configuration space, for registers that change without a write.
    func configurationWillBeRead(at offset: Int, size: Int)

    /// Connects the function's interrupt pin A. A function without a pin ignores the line.
    func connect(_ line: InterruptLine)

    /// Resets the function because its slot lost power, or because its bus is reset: while the machine runs, on a vCPU's thread. It waits for
    /// host I/O for a second at most.
    func resetByGuest()
}

extension PCIFunction {
    package func writeConfiguration(at offset: Int, size: Int, value: UInt64) {
        configuration.write(at: offset, size: size, value: value)
        configurationWritten(at: offset, size: size)
    }

    // A function that finishes everything at once.
    package func resetByGuest() { reset() }
}
