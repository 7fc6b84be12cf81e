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

extension KVMMachine {
    /// The destination of a global system interrupt (GSI).
    package enum InterruptRoute: Equatable, Sendable {
        /// An input of the IOAPIC.
        case ioapic(pin: UInt32)
        /// An input of the first (0 to 7) or the second PIC (8 to 15).
        case pic(pin: UInt32)
        case message(InterruptMessage)
    }

    /// A PC's routing, which is the kernel's initial routing.
    package static let standardRouting: [(gsi: UInt32, route: InterruptRoute)] =
        (0..<16).map { ($0, .pic(pin: $0)) }
        // The interval timer, GSI 0, is wired to the IOAPIC's input 2 (MADT, interrupt source override).
        + (0..<24).map { ($0, .ioapic(pin: $0 == 0 ? 2 : $0)) }.filter { $0.0 != 2 }

    /// Replaces all routes. A GSI may have several.
    package func setRouting(_ routes: [(gsi: UInt32, route: InterruptRoute)]) throws(KVMError) {
        let header = MemoryLayout<kvm_irq_routing>.size
        let stride = MemoryLayout<kvm_irq_routing_entry>.stride
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: header + stride * routes.count, alignment: 8)
        defer { buffer.deallocate() }
        buffer.storeBytes(of: UInt32(routes.count), toByteOffset: 0, as: UInt32.self)
        buffer.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
        for (index, (gsi, route)) in routes.enumerated() {
            buffer.storeBytes(
                of: Self.entry(gsi, route), toByteOffset: header + stride * index, as: kvm_irq_routing_entry.self)
        }
        try kvm { () throws(SystemError) in
            try descriptor.control(
                "KVM_SET_GSI_ROUTING", AERIE_KVM_SET_GSI_ROUTING, UInt(bitPattern: buffer.baseAddress))
        }
    }

    private static func entry(_ gsi: UInt32, _ route: InterruptRoute) -> kvm_irq_routing_entry {
        var entry = kvm_irq_routing_entry()
        entry.gsi = gsi
        switch route {
        case .ioapic(let pin):
            entry.type = UInt32(KVM_IRQ_ROUTING_IRQCHIP)
            entry.u.irqchip = kvm_irq_routing_irqchip(irqchip: 2, pin: pin)
        case .pic(let pin):
            entry.type = UInt32(KVM_IRQ_ROUTING_IRQCHIP)
            entry.u.irqchip = kvm_irq_routing_irqchip(irqchip: pin / 8, pin: pin % 8)
        case .message(let message):
            entry.type = UInt32(KVM_IRQ_ROUTING_MSI)
            entry.u.msi.address_lo = UInt32(truncatingIfNeeded: message.address)
            entry.u.msi.address_hi = UInt32(truncatingIfNeeded: message.address >> 32)
            entry.u.msi.data = message.data
        }
        return entry
    }

    /// Attaches `event` as an irqfd: each signal raises the GSI as an edge, in the kernel.
    package func attachIRQFD(_ event: borrowing EventCounter, to gsi: UInt32) throws(KVMError) {
        try setIRQFD(event.rawValue, gsi, flags: 0)
    }

    /// Detaches an irqfd.
    package func detachIRQFD(_ event: borrowing EventCounter, from gsi: UInt32) throws(KVMError) {
        try setIRQFD(event.rawValue, gsi, flags: UInt32(KVM_IRQFD_FLAG_DEASSIGN))
    }

    private func setIRQFD(_ event: Int32, _ gsi: UInt32, flags: UInt32) throws(KVMError) {
        var request = kvm_irqfd()
        request.fd = UInt32(event)
        request.gsi = gsi
        request.flags = flags
        try kvm { () throws(SystemError) in try descriptor.control("KVM_IRQFD", AERIE_KVM_IRQFD, &request) }
    }

    /// The address of an ioeventfd.
    package enum IOEventFDAddress: Sendable {
        case memory(address: UInt64)
        case port(UInt16)
    }

    /// Attaches `event` as an ioeventfd: a guest's write of `size` bytes (1, 2, 4 or 8) with `value` to the address signals
    /// `event` without an exit.
    package func attachIOEventFD(
        _ event: borrowing EventCounter, at address: IOEventFDAddress, size: UInt32, value: UInt64
    ) throws(KVMError) {
        try setIOEventFD(event.rawValue, address, size, value, flags: 0)
    }

    /// Detaches an ioeventfd. The arguments are those of `attachIOEventFD`.
    package func detachIOEventFD(
        _ event: borrowing EventCounter, at address: IOEventFDAddress, size: UInt32, value: UInt64
    ) throws(KVMError) {
        // KVM_IOEVENTFD_FLAG_DEASSIGN
        try setIOEventFD(event.rawValue, address, size, value, flags: 1 << 2)
    }

    private func setIOEventFD(
        _ event: Int32, _ address: IOEventFDAddress, _ size: UInt32, _ value: UInt64, flags: UInt32
    ) throws(KVMError) {
        var request = kvm_ioeventfd()
        request.fd = event
        request.len = size
        request.datamatch = value
        // KVM_IOEVENTFD_FLAG_DATAMATCH and, for ports, KVM_IOEVENTFD_FLAG_PIO.
        request.flags = flags | 1 << 0
        switch address {
        case .memory(let address): request.addr = address
        case .port(let port):
            request.addr = UInt64(port)
            request.flags |= 1 << 1
        }
        try kvm { () throws(SystemError) in try descriptor.control("KVM_IOEVENTFD", AERIE_KVM_IOEVENTFD, &request) }
    }
}

extension KVMMachine: IOEventBoard {
    package func connect(_ notifier: EventNotifier, at address: UInt64, size: Int, value: UInt64) -> Bool {
        // The kernel refuses a second ioeventfd with equal arguments, and more than about a thousand of them.
        (try? setIOEventFD(notifier.rawValue, .memory(address: address), UInt32(size), value, flags: 0)) != nil
    }

    package func disconnect(_ notifier: EventNotifier, at address: UInt64, size: Int, value: UInt64) {
        // KVM_IOEVENTFD_FLAG_DEASSIGN
        _ = try? setIOEventFD(notifier.rawValue, .memory(address: address), UInt32(size), value, flags: 1 << 2)
    }
}
