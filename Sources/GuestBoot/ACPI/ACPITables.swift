/// The tables that describe an x86 machine without legacy power management to its guest (ACPI 6.5).
package struct ACPITables: Sendable {
    /// Registers in the space of I/O ports, one byte each.
    package struct Power: Equatable, Sendable {
        package let reset: UInt16
        package let resetValue: UInt8
        package let sleepControl: UInt16
        package let sleepStatus: UInt16

        package init(reset: UInt16, resetValue: UInt8, sleepControl: UInt16, sleepStatus: UInt16) {
            self.reset = reset
            self.resetValue = resetValue
            self.sleepControl = sleepControl
            self.sleepStatus = sleepStatus
        }
    }

    /// A PCI segment's configuration space (MCFG): 1 MiB for each bus.
    package struct ConfigurationSpace: Equatable, Sendable {
        package let base: UInt64
        package let buses: ClosedRange<UInt8>

        package init(base: UInt64, buses: ClosedRange<UInt8>) {
            self.base = base
            self.buses = buses
        }
    }

    package let processors: Int
    package let localAPIC: UInt32
    package let ioapic: UInt32
    package let power: Power
    package let configurationSpace: ConfigurationSpace?
    /// The content of the DSDT.
    package let devices: [AML]

    package init(
        processors: Int, localAPIC: UInt32, ioapic: UInt32, power: Power, configurationSpace: ConfigurationSpace?,
        devices: [AML]
    ) {
        self.processors = processors
        self.localAPIC = localAPIC
        self.ioapic = ioapic
        self.power = power
        self.configurationSpace = configurationSpace
        self.devices = devices
    }

    /// All tables, one behind the other for `address`, with the root pointer (RSDP) first.
    package func encoded(at address: UInt64) -> [UInt8] {
        let rootSize: UInt64 = 64
        var tables: [UInt8] = []
        var addresses: [UInt64] = []
        func append(_ table: [UInt8]) -> UInt64 {
            tables += [UInt8](repeating: 0, count: (16 - tables.count % 16) % 16)
            let place = address + rootSize + UInt64(tables.count)
            tables += table
            return place
        }
        let dsdt = append(Self.table("DSDT", revision: 2, devices.flatMap(\.bytes)))
        addresses.append(append(fixedDescription(dsdt: dsdt)))
        addresses.append(append(interruptControllers))
        if let configurationSpace { addresses.append(append(Self.table(configurationSpace))) }
        let xsdt = append(Self.table("XSDT", revision: 1, addresses.flatMap(AML.littleEndian)))
        let root = Self.rootPointer(xsdt: xsdt)
        return root + [UInt8](repeating: 0, count: Int(rootSize) - root.count) + tables
    }

    // MARK: Tables

    /// RSDP (section 5.2.5.3): two checksums, of the first 20 bytes and of all 36.
    private static func rootPointer(xsdt: UInt64) -> [UInt8] {
        var bytes = Array("RSD PTR ".utf8) + [0] + Array("AERIE ".utf8) + [2] + AML.littleEndian(UInt32(0))
        bytes += AML.littleEndian(UInt32(36)) + AML.littleEndian(xsdt) + [0, 0, 0, 0]
        bytes[8] = checksum(bytes[..<20])
        bytes[32] = checksum(bytes[...])
        return bytes
    }

    /// FADT (section 5.2.9), hardware-reduced: no fixed registers but those to reset and to sleep.
    private func fixedDescription(dsdt: UInt64) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 276)
        func set(_ value: some FixedWidthInteger, at offset: Int) {
            for (index, byte) in AML.littleEndian(value).enumerated() { bytes[offset + index] = byte }
        }
        // Bits: 4 and 5, no fixed buttons; 10, the reset register; 20, hardware-reduced.
        let flags: UInt32 = 1 << 4 | 1 << 5 | 1 << 10 | 1 << 20
        // Devices that a driver may look for without being told of them: no VGA (bit 2).
        set(UInt16(1 << 2), at: 109)
        set(flags, at: 112)
        setRegister(power.reset, at: 116, &bytes)
        set(power.resetValue, at: 128)
        // Minor version.
        set(UInt8(5), at: 131)
        set(dsdt, at: 140)
        setRegister(power.sleepControl, at: 244, &bytes)
        setRegister(power.sleepStatus, at: 256, &bytes)
        return Self.table("FACP", revision: 6, Array(bytes[36...]))
    }

    /// A generic address (section 5.2.3.2): I/O space, 8 bits at offset 0, accessed as a byte.
    private func setRegister(_ port: UInt16, at offset: Int, _ bytes: inout [UInt8]) {
        let register: [UInt8] = [1, 8, 0, 1] + AML.littleEndian(UInt64(port))
        bytes.replaceSubrange(offset..<offset + 12, with: register)
    }

    /// MADT (section 5.2.12).
    private var interruptControllers: [UInt8] {
        // Flag 0: there are two PICs as well.
        var bytes = AML.littleEndian(localAPIC) + AML.littleEndian(UInt32(1))
        // A local APIC for each processor, enabled.
        for index in 0..<processors {
            bytes += [0, 8, UInt8(index), UInt8(index)] + AML.littleEndian(UInt32(1))
        }
        // The IOAPIC, whose inputs begin at interrupt 0.
        bytes += [1, 12, 0, 0] + AML.littleEndian(ioapic) + AML.littleEndian(UInt32(0))
        // ISA's interrupt 0, the timer, arrives at input 2.
        bytes += [2, 10, 0, 0] + AML.littleEndian(UInt32(2)) + AML.littleEndian(UInt16(0))
        // LINT1 of every processor is its non-maskable interrupt.
        bytes += [4, 6, 0xFF] + AML.littleEndian(UInt16(0)) + [1]
        return Self.table("APIC", revision: 5, bytes)
    }

    /// MCFG (PCI Firmware Specification, section 4.1.2).
    private static func table(_ space: ConfigurationSpace) -> [UInt8] {
        let buses: [UInt8] = [space.buses.lowerBound, space.buses.upperBound]
        return table(
            "MCFG", revision: 1,
            [UInt8](repeating: 0, count: 8) + AML.littleEndian(space.base) + AML.littleEndian(UInt16(0)) + buses
                + [0, 0, 0, 0])
    }

    /// A table with its header (section 5.2.6): signature, length, revision, checksum, and who made it.
    private static func table(_ signature: String, revision: UInt8, _ content: [UInt8]) -> [UInt8] {
        let length = UInt32(36 + content.count)
        var bytes = Array(signature.utf8) + AML.littleEndian(length) + [revision, 0]
        bytes += Array("AERIE AERIEVM ".utf8) + AML.littleEndian(UInt32(1))
        bytes += Array("AERI".utf8) + AML.littleEndian(UInt32(1)) + content
        bytes[9] = checksum(bytes[...])
        return bytes
    }

    /// What makes the sum of all bytes 0.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt8 { 0 &- bytes.reduce(0, &+) }
}
