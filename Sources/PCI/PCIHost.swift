package import Machine
package import SavedState
internal import Synchronization

/// A PCI Express host bridge with one bus: the configuration space of its functions in memory (ECAM: PCI Express Base, section
/// 7.2.2), windows of addresses in which the guest places their registers, and four interrupt lines.
///
/// Guests may place registers anywhere, over each other and outside of the windows: the bridge passes on only what lies in one
/// (`PCIWindow`), to the function with the lowest number that answers.
package final class PCIHost: MemoryMappedDevice {
    /// One bus: 32 devices of 8 functions with 4096 bytes each.
    package static let configurationSize: UInt64 = 1 << 20
    /// The configuration space of 256 buses, of which all but the first are empty.
    package static let wholeConfigurationSize: UInt64 = 256 << 20
    package static let slots = 32

    package let name: String
    private let functions: [any PCIFunction]
    private let pins: [PCIInterruptPin]

    /// - Parameters:
    ///   - functions: one to a device, from device 1 on; device 0 is the bridge itself.
    ///   - lines: INTA to INTD.
    package init(name: String, functions: [any PCIFunction], lines: [InterruptLine]) {
        precondition(functions.count < Self.slots && lines.count == 4, "a bus has 32 devices, a bridge four lines")
        self.name = name
        self.functions = [PCIHostBridge()] + functions
        pins = lines.map(PCIInterruptPin.init)
        for (slot, function) in self.functions.enumerated() {
            // Each device's pin A goes to another line, so that they share as little as can be (the usual swizzle).
            function.connect(InterruptLine(sink: pins[slot % 4], number: slot))
        }
    }

    /// The line that pin A of the device in `slot` is wired to: what a board has to tell its guest.
    package static func line(ofSlot slot: Int) -> Int { slot % 4 }

    // MARK: Configuration space

    /// Bus, device and function are bits 20 on, 15 to 19, and 12 to 14 of the offset.
    private func function(at offset: UInt64) -> (any PCIFunction)? {
        let slot = Int(offset >> 15 & 31)
        guard offset < Self.configurationSize, offset >> 12 & 7 == 0, slot < functions.count else { return nil }
        return functions[slot]
    }

    package func read(offset: UInt64, size: Int) -> UInt64 {
        // Where there is no function, a read is all ones.
        guard let function = function(at: offset) else { return UInt64.max >> UInt64(64 - 8 * size) }
        let register = Int(offset & 0xFFF)
        function.configurationWillBeRead(at: register, size: size)
        return function.configuration.read(at: register, size: size)
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        guard let function = function(at: offset) else { return }
        let register = Int(offset & 0xFFF)
        function.configuration.write(at: register, size: size, value: value)
        function.configurationWritten(at: register, size: size)
    }

    // MARK: The window

    func readWindow(at address: UInt64, size: Int) -> UInt64 {
        for function in functions {
            guard let (bar, offset) = function.configuration.bar(at: address, size: size) else { continue }
            return function.read(bar: bar, offset: offset, size: size)
        }
        return UInt64.max >> UInt64(64 - 8 * size)
    }

    func writeWindow(at address: UInt64, size: Int, value: UInt64) {
        for function in functions {
            guard let (bar, offset) = function.configuration.bar(at: address, size: size) else { continue }
            return function.write(bar: bar, offset: offset, size: size, value: value)
        }
    }

    // MARK: State

    /// Functions are devices of their own, which the board resets and saves; the bridge has nothing that changes but what
    /// a guest notes in its configuration space.
    package func reset() { functions[0].reset() }

    package func save() throws(SavedStateError) -> SavedRecord {
        var record = SavedRecord(kind: "pci-host", version: 1)
        record.set("bridge", try functions[0].save())
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: "pci-host", versions: 1...1)
        try functions[0].restore(try record.record("bridge"))
    }
}
