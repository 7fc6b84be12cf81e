#if arch(x86_64)
    internal import GuestBoot
    internal import PCI
    internal import PlatformDevices

    /// The ACPI tables of the x86-64 board.
    enum X86ACPI {
        static func tables(processors: Int, pciHighWindow: (base: UInt64, size: UInt64)) -> ACPITables {
            let power = X86MemoryMap.Port.power
            return ACPITables(
                processors: processors, localAPIC: X86MemoryMap.localAPIC, ioapic: X86MemoryMap.ioapic,
                power: .init(
                    reset: power + UInt16(PowerControl.resetOffset), resetValue: PowerControl.resetValue,
                    sleepControl: power + UInt16(PowerControl.sleepControlOffset),
                    sleepStatus: power + UInt16(PowerControl.sleepStatusOffset)),
                configurationSpace: .init(base: X86MemoryMap.pciConfiguration, buses: 0...255),
                devices: [
                    .scope(
                        "\\_SB",
                        [serial, clock, pci(pciHighWindow), reservations, generation, events]
                            + (0..<processors).map(processor)),
                    // The sleep control register's value for power-off.
                    .name("\\_S5", .package([.integer(UInt64(PowerControl.offState)), .integer(0)])),
                ])
        }

        private static func processor(_ index: Int) -> AML {
            // C000 and up. String(format:)-like code is avoided, because it would add to the start of a machine.
            let digits = Array("0123456789ABCDEF".utf8)
            let name = "C" + String(decoding: [8, 4, 0].map { digits[index >> $0 & 15] }, as: UTF8.self)
            return .device(name, [.name("_HID", .text("ACPI0007")), .name("_UID", .integer(UInt64(index)))])
        }

        private static var serial: AML {
            .device(
                "COM1",
                [
                    .name("_HID", .identifier("PNP0501")), .name("_UID", .integer(1)),
                    .name(
                        "_CRS",
                        .resources([
                            .ports(X86MemoryMap.Port.uart, count: 8),
                            .interrupt(UInt32(X86MemoryMap.Interrupt.uart)),
                        ])),
                ])
        }

        private static var clock: AML {
            .device(
                "RTC",
                [
                    .name("_HID", .identifier("PNP0B00")),
                    .name("_CRS", .resources([.ports(X86MemoryMap.Port.clock, count: 2)])),
                ])
        }

        // What the host bridge's _OSC leaves to the operating system (PCI Firmware 3.3, section 4.5.1).
        private static let hotPlug: UInt8 = 1 << 0
        private static let powerEvents: UInt8 = 1 << 2
        private static let expressCapability: UInt8 = 1 << 4

        private static func pci(_ highWindow: (base: UInt64, size: UInt64)) -> AML {
            // Pin A of each device, with the line that the bridge wires it to. No function uses pins B to D; 0xFFFF is any function.
            let routes = (1..<PCIHost.slots).map { slot in
                AML.package([
                    .integer(UInt64(slot) << 16 | 0xFFFF), .integer(0), .integer(0),
                    .integer(UInt64(X86MemoryMap.Interrupt.pci[PCIHost.line(ofSlot: slot)])),
                ])
            }
            return .device(
                "PCI0",
                [
                    .name("_HID", .identifier("PNP0A08")), .name("_CID", .identifier("PNP0A03")),
                    .name("_UID", .integer(0)), .name("_SEG", .integer(0)), .name("_BBN", .integer(0)),
                    .name("_CCA", .integer(1)),
                    .name(
                        "_CRS",
                        .resources([
                            .buses(0...255),
                            .window(UInt32(X86MemoryMap.pciWindow), size: UInt32(X86MemoryMap.pciWindowSize)),
                            .highWindow(highWindow.base, size: highWindow.size),
                        ])),
                    .name("_PRT", .package(routes)),
                    .grantsPCIControl(hotPlug | powerEvents | expressCapability),
                ])
        }

        private static let generationName = "VGEN"

        /// The generation ID, by its address ("Virtual Machine Generation ID", section "ACPI device").
        private static var generation: AML {
            let address = X86MemoryMap.generation
            return .device(
                generationName,
                [
                    .name("_HID", .text("AERI0001")), .name("_CID", .text("VM_Gen_Counter")),
                    .name("_DDN", .text("VM_Gen_Counter")),
                    .name("ADDR", .package([.integer(address & 0xFFFF_FFFF), .integer(address >> 32)])),
                ])
        }

        /// The generic event device (ACPI 6.5, section 5.6.9): its one interrupt says that the generation ID has changed.
        private static var events: AML {
            .device(
                "GED0",
                [
                    .name("_HID", .text("ACPI0013")), .name("_UID", .integer(0)),
                    .name(
                        "_CRS", .resources([.interrupt(UInt32(X86MemoryMap.Interrupt.generation))])),
                    .eventMethod(notifying: generationName, 0x80),
                ])
        }

        /// Motherboard resources: reserved addresses without a device. Linux uses ECAM only if it is among them.
        private static var reservations: AML {
            .device(
                "RES0",
                [
                    .name("_HID", .identifier("PNP0C02")), .name("_UID", .integer(0)),
                    .name(
                        "_CRS",
                        .resources([
                            .memory(UInt32(X86MemoryMap.pciConfiguration), size: UInt32(PCIHost.configurationSize)),
                            .memory(UInt32(X86MemoryMap.testFinisher), size: UInt32(TestFinisher.size)),
                            .memory(UInt32(X86MemoryMap.generation), size: UInt32(GenerationDevice.size)),
                            .ports(X86MemoryMap.Port.power, count: UInt8(PowerControl.size)),
                        ])),
                ])
        }
    }
#endif
