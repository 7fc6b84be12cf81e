internal import CKVM
package import HostSystem
package import Machine

extension KVMMachine: InterruptSink {
    /// Sets the level of a global system interrupt (GSI). With the kernel's initial routing, GSIs 0 to 15 of an x86 machine go
    /// to the IOAPIC and to the PICs, and 16 to 23 to the IOAPIC alone.
    package func setInterrupt(_ number: Int, level: Bool) {
        var request = kvm_irq_level()
        request.irq = UInt32(number)
        request.level = level ? 1 : 0
        // The call fails only for a GSI that does not exist, and boards use none of these.
        _ = try? descriptor.control("KVM_IRQ_LINE", AERIE_KVM_IRQ_LINE, &request)
    }
}

extension KVMMachine: MessageSink {
    /// Delivers a message-signalled interrupt at once.
    package func send(_ message: InterruptMessage) {
        var request = kvm_msi()
        request.address_lo = UInt32(truncatingIfNeeded: message.address)
        request.address_hi = UInt32(truncatingIfNeeded: message.address >> 32)
        request.data = message.data
        // The guest chose the message. One that no local APIC accepts is lost, as on hardware.
        _ = try? descriptor.control("KVM_SIGNAL_MSI", AERIE_KVM_SIGNAL_MSI, &request)
    }
}

extension KVMMachine: IOEventBoard {
    package func connect(_ notifier: EventNotifier, at address: UInt64, size: Int, value: UInt64) -> Bool {
        // The kernel refuses a second ioeventfd with equal arguments, and more than about a thousand of them.
        (try? setIOEventFD(notifier.rawValue, address, UInt32(size), value, flags: 0)) != nil
    }

    package func disconnect(_ notifier: EventNotifier, at address: UInt64, size: Int, value: UInt64) {
        // KVM_IOEVENTFD_FLAG_DEASSIGN
        _ = try? setIOEventFD(notifier.rawValue, address, UInt32(size), value, flags: 1 << 2)
    }

    /// An ioeventfd: a guest's write of `size` bytes (1, 2, 4 or 8) with `value` to the address signals `event` without an exit.
    private func setIOEventFD(
        _ event: Int32, _ address: UInt64, _ size: UInt32, _ value: UInt64, flags: UInt32
    ) throws(KVMError) {
        var request = kvm_ioeventfd()
        request.fd = event
        request.len = size
        request.datamatch = value
        request.addr = address
        // KVM_IOEVENTFD_FLAG_DATAMATCH
        request.flags = flags | 1 << 0
        try kvm { () throws(SystemError) in try descriptor.control("KVM_IOEVENTFD", AERIE_KVM_IOEVENTFD, &request) }
    }
}
