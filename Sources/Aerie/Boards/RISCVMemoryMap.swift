/// Where the RISC-V board has its parts: addresses and interrupt numbers of QEMU's `virt` machine.
enum RISCVMemoryMap {
    static let bootROM: UInt64 = 0x1000
    static let testFinisher: UInt64 = 0x10_0000
    static let rtc: UInt64 = 0x10_1000
    /// Free on QEMU's board, whose watchdogs are on PCI.
    static let watchdog: UInt64 = 0x10_2000
    /// Free on QEMU's board, which has no generation ID.
    static let generation: UInt64 = 0x10_3000
    static let aclint: UInt64 = 0x200_0000
    static let supervisorSoftwareInterrupts: UInt64 = 0x2F0_0000
    static let plic: UInt64 = 0xC00_0000
    // With the Advanced Interrupt Architecture, instead of the PLIC.
    static let aplicMachine: UInt64 = 0xC00_0000
    static let aplicSupervisor: UInt64 = 0xD00_0000
    static let imsicMachine: UInt64 = 0x2400_0000
    static let imsicSupervisor: UInt64 = 0x2800_0000
    /// Interrupt files for guests at a hart with the hypervisor extension.
    static let guestInterruptFiles = 7
    static let uart: UInt64 = 0x1000_0000
    static let virtio: UInt64 = 0x1000_1000
    static let virtioStride: UInt64 = 0x1000
    static let virtioSlots = 8
    static let firmwareConfiguration: UInt64 = 0x1010_0000
    static let flash: [UInt64] = [0x2000_0000, 0x2200_0000]
    static let pciPorts: UInt64 = 0x300_0000
    static let pciConfiguration: UInt64 = 0x3000_0000
    static let pciWindow: UInt64 = 0x4000_0000
    static let pciWindowSize: UInt64 = 0x4000_0000
    static let memory: UInt64 = 0x8000_0000

    /// Sources of the PLIC, or of the APLIC.
    enum Source {
        static let virtio = 1
        static let uart = 10
        static let rtc = 11
        static let generation = 12
        /// INTA; the other three follow.
        static let pci = 32
        static let count = 95
        /// The APLIC's.
        static let advancedCount = 96
    }

    /// Bits of mip, which are the wires of a hart.
    enum Wire {
        static let supervisorSoftware = 1
        static let machineSoftware = 3
        static let supervisorExternal = 9
        static let machineExternal = 11
    }
}
