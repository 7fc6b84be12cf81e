internal import CKVM

/// The KVM capabilities that Aerie uses (Documentation/virt/kvm/api.rst, KVM_CHECK_EXTENSION).
package enum KVMCapability: CaseIterable, Sendable, CustomStringConvertible {
    case userMemory
    case irqchip
    case splitIRQChip
    case intervalTimer
    case signalMSI
    case ioeventfd
    case readOnlyMemory
    case immediateExit
    case vcpuEvents
    case debugRegisters
    case xsave
    case xcrs
    case multiprocessingState
    case adjustClock
    case tscDeadlineTimer

    /// The kernel's number, its name after `KVM_CAP_`, and a description for people.
    private var row: (number: Int32, name: String, meaning: String) {
        switch self {
        case .userMemory: (KVM_CAP_USER_MEMORY, "USER_MEMORY", "guest memory in the process's address space")
        case .irqchip: (KVM_CAP_IRQCHIP, "IRQCHIP", "the in-kernel irqchip")
        case .splitIRQChip: (KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP", "the split irqchip (in-kernel local APICs only)")
        case .intervalTimer: (KVM_CAP_PIT2, "PIT2", "the in-kernel interval timer")
        case .signalMSI: (KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI", "message-signalled interrupts")
        case .ioeventfd: (KVM_CAP_IOEVENTFD, "IOEVENTFD", "ioeventfds")
        case .readOnlyMemory: (KVM_CAP_READONLY_MEM, "READONLY_MEM", "read-only memory slots")
        case .immediateExit: (KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT", "immediate exits")
        case .vcpuEvents: (KVM_CAP_VCPU_EVENTS, "VCPU_EVENTS", "a vCPU's pending events")
        case .debugRegisters: (KVM_CAP_DEBUGREGS, "DEBUGREGS", "debug registers")
        case .xsave: (KVM_CAP_XSAVE, "XSAVE", "the XSAVE state")
        case .xcrs: (KVM_CAP_XCRS, "XCRS", "extended control registers")
        case .multiprocessingState: (KVM_CAP_MP_STATE, "MP_STATE", "the multiprocessing state")
        case .adjustClock: (KVM_CAP_ADJUST_CLOCK, "ADJUST_CLOCK", "setting the paravirtual clock")
        case .tscDeadlineTimer:
            (KVM_CAP_TSC_DEADLINE_TIMER, "TSC_DEADLINE_TIMER", "the local APIC timer's TSC-deadline mode")
        }
    }

    var number: UInt { UInt(row.number) }

    /// A description for people, a noun phrase.
    package var meaning: String { row.meaning }

    /// The kernel's name.
    package var description: String { "KVM_CAP_\(row.name)" }

    /// Whether every machine needs the capability. Without an optional one, a machine is slower or restricted.
    package var isRequired: Bool {
        switch self {
        case .splitIRQChip, .ioeventfd, .readOnlyMemory, .tscDeadlineTimer: false
        default: true
        }
    }
}
