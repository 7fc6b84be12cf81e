internal import CKVM

/// What a kernel's KVM may or may not have, as far as Aerie uses it (Documentation/virt/kvm/api.rst).
package enum KVMCapability: CaseIterable, Sendable, CustomStringConvertible {
    case userMemory
    case interruptControllers
    case splitInterruptControllers
    case timer
    case interruptRouting
    case messageInterrupts
    case interruptDescriptors
    case notificationDescriptors
    case readOnlyMemory
    case immediateExit
    case processorEvents
    case debugRegisters
    case extendedState
    case extendedControl
    case processorState
    case clock
    case deadlineTimer
    case dirtyRings

    /// The kernel's number and name for it, and what it is, for people.
    private var row: (number: Int32, name: String, meaning: String) {
        switch self {
        case .userMemory: (KVM_CAP_USER_MEMORY, "USER_MEMORY", "guest memory from this process")
        case .interruptControllers: (KVM_CAP_IRQCHIP, "IRQCHIP", "interrupt controllers in the kernel")
        case .splitInterruptControllers:
            (KVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP", "local interrupt controllers alone in the kernel")
        case .timer: (KVM_CAP_PIT2, "PIT2", "the interval timer in the kernel")
        case .interruptRouting: (KVM_CAP_IRQ_ROUTING, "IRQ_ROUTING", "interrupt routing")
        case .messageInterrupts: (KVM_CAP_SIGNAL_MSI, "SIGNAL_MSI", "message-signalled interrupts")
        case .interruptDescriptors: (KVM_CAP_IRQFD, "IRQFD", "interrupts by event descriptor")
        case .notificationDescriptors: (KVM_CAP_IOEVENTFD, "IOEVENTFD", "notifications by event descriptor")
        case .readOnlyMemory: (KVM_CAP_READONLY_MEM, "READONLY_MEM", "read-only guest memory")
        case .immediateExit: (KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT", "leaving a guest at once")
        case .processorEvents: (KVM_CAP_VCPU_EVENTS, "VCPU_EVENTS", "pending events of a vCPU")
        case .debugRegisters: (KVM_CAP_DEBUGREGS, "DEBUGREGS", "debug registers")
        case .extendedState: (KVM_CAP_XSAVE, "XSAVE", "extended processor state")
        case .extendedControl: (KVM_CAP_XCRS, "XCRS", "extended control registers")
        case .processorState: (KVM_CAP_MP_STATE, "MP_STATE", "the state of stopped vCPUs")
        case .clock: (KVM_CAP_ADJUST_CLOCK, "ADJUST_CLOCK", "setting the paravirtual clock")
        case .dirtyRings:
            (KVM_CAP_DIRTY_LOG_RING_ACQ_REL, "DIRTY_LOG_RING_ACQ_REL", "written pages told by a ring for each vCPU")
        case .deadlineTimer: (KVM_CAP_TSC_DEADLINE_TIMER, "TSC_DEADLINE_TIMER", "the local timer's deadline mode")
        }
    }

    var number: UInt { UInt(row.number) }

    /// What it is, for people.
    package var meaning: String { row.meaning }

    /// The kernel's name.
    package var description: String { "KVM_CAP_\(row.name)" }

    /// Without these no machine can be built; without the others, something is slower or restricted.
    package var isRequired: Bool {
        switch self {
        case .splitInterruptControllers, .interruptDescriptors, .notificationDescriptors, .readOnlyMemory,
            .deadlineTimer, .dirtyRings:
            false
        default: true
        }
    }
}
