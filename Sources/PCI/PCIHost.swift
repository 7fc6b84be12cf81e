package import Machine
package import SavedState
internal import Synchronization

/// A PCI Express host bridge: memory-mapped configuration space (ECAM: PCI Express Base, section 7.2.2), memory windows for the
/// functions' registers, and four interrupt lines. Bus 0 has the functions; the guest gives numbers to the buses behind root ports.
///
/// Guests may place registers anywhere, also over each other and outside of the windows. The bridge forwards accesses in a
/// window (`PCIWindow`) to the function with the lowest number that decodes the address, and then to the root ports.
package final class PCIHost: MemoryMappedDevice {
    /// One bus: 32 devices of 8 functions with 4096 bytes each.
    private static let busSize: UInt64 = 1 << 20
    /// The configuration space of 256 buses.
    package static let configurationSize: UInt64 = 256 * busSize
    package static let slots = 32
    /// The device whose functions are the root ports.
    private static let portSlot = slots - 1
    /// The most root ports.
    package static let mostPorts = 8
    /// The most functions besides the bridge's own.
    package static let mostFunctions = 2 * (slots - 1)

    package let name: String
    private let functions: [any PCIFunction]
    private let ports: [PCIRootPort]
    /// How many functions a device has, from device 1 on.
    private let functionsOfDevice: Int
    private let pins: [PCIInterruptPin]

    /// - Parameters:
    ///   - functions: one for each device, from device 1 on; device 0 is the bridge itself. If there are more than devices, each
    ///     device has two, so that a guest that goes through the bus finds them in this order.
    ///   - ports: the functions of device 31, which `hasRoomForPorts` leaves free.
    ///   - lines: INTA to INTD.
    package init(name: String, functions: [any PCIFunction], ports: [PCIRootPort] = [], lines: [InterruptLine]) {
        precondition(
            functions.count <= Self.mostFunctions && lines.count == 4, "a bus has 62 functions and four lines")
        precondition(
            ports.isEmpty || Self.hasRoomForPorts(functions: functions.count) && ports.count <= Self.mostPorts,
            "device 31 has up to eight ports, or other functions")
        self.name = name
        self.ports = ports
        self.functions = [PCIHostBridge()] + functions
        functionsOfDevice = functions.count < Self.slots ? 1 : 2
        pins = lines.map(PCIInterruptPin.init)
        for (index, function) in functions.enumerated() {
            // The usual swizzle: pin A of neighbouring devices goes to different lines. All functions of a device use pin A.
            let slot = 1 + index / functionsOfDevice
            function.connect(InterruptLine(sink: pins[Self.line(ofSlot: slot)], number: index))
            if functionsOfDevice > 1 { function.configuration.setMultifunction() }
        }
        for (index, port) in ports.enumerated() {
            port.connect(InterruptLine(sink: pins[Self.line(ofSlot: Self.portSlot)], number: functions.count + index))
            if ports.count > 1 { port.configuration.setMultifunction() }
        }
    }

    /// Whether so many functions leave the device of the root ports free.
    package static func hasRoomForPorts(functions count: Int) -> Bool {
        count < slots ? count < portSlot : count <= 2 * (portSlot - 1)
    }

    /// The line of pin A of the device in `slot`, for the board's description to the guest.
    package static func line(ofSlot slot: Int) -> Int { slot % 4 }

    // MARK: Configuration space

    /// The function of an ECAM offset: bus in bits 20 and up, device in bits 15 to 19, function in bits 12 to 14.
    private func function(at offset: UInt64) -> (any PCIFunction)? {
        let (slot, number) = (Int(offset >> 15 & 31), Int(offset >> 12 & 7))
        guard offset < Self.busSize else {
            let bus = Int(offset / Self.busSize)
            guard slot == 0, number == 0 else { return nil }
            return ports.first { $0.configuration.secondaryBus == bus }?.reachable
        }
        if slot == Self.portSlot, !ports.isEmpty { return number < ports.count ? ports[number] : nil }
        if slot == 0 { return number == 0 ? functions[0] : nil }
        let index = 1 + (slot - 1) * functionsOfDevice + number
        return number < functionsOfDevice && index < functions.count ? functions[index] : nil
    }

    package func read(offset: UInt64, size: Int) -> UInt64 {
        // Without a function, a read is all ones.
        guard let function = function(at: offset) else { return UInt64.max >> UInt64(64 - 8 * size) }
        let register = Int(offset & 0xFFF)
        function.configurationWillBeRead(at: register, size: size)
        return function.configuration.read(at: register, size: size)
    }

    package func write(offset: UInt64, size: Int, value: UInt64) {
        guard let function = function(at: offset) else { return }
        let register = Int(offset & 0xFFF)
        function.writeConfiguration(at: register, size: size, value: value)
    }

    // MARK: The window

    func readWindow(at address: UInt64, size: Int) -> UInt64 {
        guard let (function, bar, offset) = target(address, size) else { return UInt64.max >> UInt64(64 - 8 * size) }
        return function.read(bar: bar, offset: offset, size: size)
    }

    func writeWindow(at address: UInt64, size: Int, value: UInt64) {
        guard let (function, bar, offset) = target(address, size) else { return }
        function.write(bar: bar, offset: offset, size: size, value: value)
    }

    private func target(_ address: UInt64, _ size: Int) -> (any PCIFunction, bar: Int, offset: UInt64)? {
        for function in functions {
            if let (bar, offset) = function.configuration.bar(at: address, size: size) {
                return (function, bar, offset)
            }
        }
        for port in ports {
            guard let function = port.reachable, port.configuration.forwards(address, size: size),
                let (bar, offset) = function.configuration.bar(at: address, size: size)
            else { continue }
            return (function, bar, offset)
        }
        return nil
    }

    // MARK: State

    /// Resets the bridge. The board resets and saves the other functions as devices of their own. The bridge's only changing
    /// state is its configuration space.
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
