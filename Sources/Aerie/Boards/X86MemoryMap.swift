#if arch(x86_64)
    internal import GuestBoot
    internal import PCI

    /// The address map of the x86-64 board: memory, registers, ports and interrupts.
    enum X86MemoryMap {
        /// The end of memory below 4 GiB. More memory begins at `highMemory`.
        static let lowMemoryEnd: UInt64 = 0xC000_0000
        static let highMemory: UInt64 = 0x1_0000_0000
        /// The window for 32-bit registers of PCI functions.
        static let pciWindow: UInt64 = 0xC000_0000
        static let pciWindowSize: UInt64 = 0x2000_0000
        static let pciConfiguration: UInt64 = 0xE000_0000
        static let testFinisher: UInt64 = 0xFEB0_0000
        static let generation: UInt64 = 0xFEB0_1000
        static let ioapic: UInt32 = 0xFEC0_0000
        static let localAPIC: UInt32 = 0xFEE0_0000

        /// A PC's range for option ROMs and firmware, where operating systems look for ACPI's RSDP.
        static let legacy: Range<UInt64> = 0xA_0000..<0x10_0000
        static let acpiTables: UInt64 = 0xE_0000

        enum Port {
            static let uart: UInt16 = 0x3F8
            static let clock: UInt16 = 0x70
            static let power: UInt16 = 0x600
        }

        enum Interrupt {
            static let uart = 4
            /// INTA to INTD.
            static let pci = [16, 17, 18, 19]
            static let generation = 20
        }

        /// Base and size of each range of memory.
        static func memory(_ size: UInt64) -> [(base: UInt64, size: UInt64)] {
            let low = min(size, lowMemoryEnd)
            return [(0, low)] + (size > low ? [(highMemory, size - low)] : [])
        }

        /// Where memory may begin that is added to `size` bytes: behind them, and above 4 GiB.
        static func end(_ size: UInt64) -> UInt64 { highMemory + (size > lowMemoryEnd ? size - lowMemoryEnd : 0) }

        /// The memory map for the guest.
        static func map(_ size: UInt64) -> [X86MemoryMapEntry] {
            memory(size).flatMap { range -> [X86MemoryMapEntry] in
                guard range.base == 0 else { return [.init(base: range.base, size: range.size, kind: .memory)] }
                let above = range.size > legacy.upperBound ? range.size - legacy.upperBound : 0
                return [
                    .init(base: 0, size: legacy.lowerBound, kind: .memory),
                    .init(base: legacy.lowerBound, size: legacy.upperBound - legacy.lowerBound, kind: .reserved),
                ] + (above > 0 ? [.init(base: legacy.upperBound, size: above, kind: .memory)] : [])
            } + [.init(base: pciConfiguration, size: PCIHost.configurationSize, kind: .reserved)]
        }
    }
#endif
