#if arch(x86_64)
    internal import CKVM
    internal import HostSystem

    extension KVMMachine {
        /// Which interrupt controllers the kernel has for a machine.
        package enum InterruptControllers: Sendable {
            /// The PICs, the IOAPIC, the processors' local APICs, and the interval timer: a PC's.
            case all
            /// The local APICs alone: interrupts are messages.
            case local
        }

        /// Makes a virtual machine without memory and processors.
        package convenience init(
            _ system: borrowing KVMSystem, interruptControllers: InterruptControllers,
            writeTracking: WriteTracking = .log
        ) throws(KVMError) {
            let device = system.descriptor.rawValue
            self.init(
                descriptor: try kvm { () throws(SystemError) in
                    FileDescriptor(
                        owning: try checked("ioctl KVM_CREATE_VM") {
                            aerie_kvm_ioctl_value(device, AERIE_KVM_CREATE_VM, 0)
                        })
                },
                runAreaSize: system.runAreaSize, ringEntries: system.ringEntries(for: writeTracking))
            if ringEntries > 0 { try enableRings() }
            try kvm { () throws(SystemError) in
                // Three pages that KVM uses on processors without real mode for guests, and one for its page table: below
                // the firmware's place and above every device.
                try descriptor.control("KVM_SET_TSS_ADDR", AERIE_KVM_SET_TSS_ADDR, Self.taskStatePages)
                var identityMap = Self.identityMapPage
                try descriptor.control(
                    "KVM_SET_IDENTITY_MAP_ADDR", AERIE_KVM_SET_IDENTITY_MAP_ADDR, &identityMap)
            }
            switch interruptControllers {
            case .all:
                try kvm { () throws(SystemError) in
                    try descriptor.control("KVM_CREATE_IRQCHIP", AERIE_KVM_CREATE_IRQCHIP, 0)
                    var timer = kvm_pit_config()
                    // A speaker port, so that the timer's third channel can be read there (KVM_PIT_SPEAKER_DUMMY).
                    timer.flags = 1
                    try descriptor.control("KVM_CREATE_PIT2", AERIE_KVM_CREATE_PIT2, &timer)
                }
            case .local:
                guard system.has(.splitInterruptControllers) else { throw .missing(.splitInterruptControllers) }
                var capability = kvm_enable_cap()
                capability.cap = UInt32(KVM_CAP_SPLIT_IRQCHIP)
                try kvm { () throws(SystemError) in
                    try descriptor.control("KVM_ENABLE_CAP", AERIE_KVM_ENABLE_CAP, &capability)
                }
            }
        }

        private static let identityMapPage: UInt64 = 0xFEFF_C000
        private static let taskStatePages: UInt = 0xFEFF_D000
    }
#endif
