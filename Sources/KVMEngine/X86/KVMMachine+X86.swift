#if arch(x86_64)
    internal import CKVM
    internal import HostSystem

    extension KVMMachine {
        /// The in-kernel interrupt controllers of a machine.
        package enum IRQChip: Sendable {
            /// Two PICs, an IOAPIC, the local APICs and the interval timer, as a PC has them.
            case full
            /// The local APICs only (KVM_CAP_SPLIT_IRQCHIP). All interrupts are messages.
            case split
        }

        /// Creates a virtual machine without memory and vCPUs.
        package convenience init(
            _ system: borrowing KVMSystem, irqchip: IRQChip
        ) throws(KVMError) {
            let device = system.descriptor.rawValue
            self.init(
                descriptor: try kvm { () throws(SystemError) in
                    FileDescriptor(
                        owning: try checked("ioctl KVM_CREATE_VM") {
                            aerie_kvm_ioctl_value(device, AERIE_KVM_CREATE_VM, 0)
                        })
                },
                runAreaSize: system.runAreaSize)
            try kvm { () throws(SystemError) in
                // KVM needs three pages and one page-table page on processors without unrestricted guest mode. They lie
                // between the devices and the firmware.
                try descriptor.control("KVM_SET_TSS_ADDR", AERIE_KVM_SET_TSS_ADDR, Self.taskStatePages)
                var identityMap = Self.identityMapPage
                try descriptor.control(
                    "KVM_SET_IDENTITY_MAP_ADDR", AERIE_KVM_SET_IDENTITY_MAP_ADDR, &identityMap)
            }
            switch irqchip {
            case .full:
                try kvm { () throws(SystemError) in
                    try descriptor.control("KVM_CREATE_IRQCHIP", AERIE_KVM_CREATE_IRQCHIP, 0)
                    var timer = kvm_pit_config()
                    // KVM_PIT_SPEAKER_DUMMY: port 0x61, where guests read the PIT's channel 2.
                    timer.flags = 1
                    try descriptor.control("KVM_CREATE_PIT2", AERIE_KVM_CREATE_PIT2, &timer)
                }
            case .split:
                guard system.has(.splitIRQChip) else { throw .missing(.splitIRQChip) }
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
