internal import CKVM
package import HostSystem
package import Machine

extension KVMMachine: InterruptSink {
    /// Sets the level of a global system interrupt. On x86, 0 to 15 reach both the IOAPIC and the two PICs, 16 to 23 the
    /// IOAPIC alone, until `setRouting` changes that.
    package func setInterrupt(_ number: Int, level: Bool) {
        var request = kvm_irq_level()
        request.irq = UInt32(number)
        request.level = level ? 1 : 0
        // It fails only for a number that does not exist, which a board does not use.
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
        // A message that no processor takes, or one that means nothing, is the guest's own affair.
        _ = try? descriptor.control("KVM_SIGNAL_MSI", AERIE_KVM_SIGNAL_MSI, &request)
    }
}

extension KVMMachine {
    /// Where a global system interrupt goes.
    package enum Route: Equatable, Sendable {
        /// An input of the IOAPIC.
        case ioapic(pin: UInt32)
        /// An input of the first (0 to 7) or the second PIC (8 to 15).
        case pic(pin: UInt32)
        case message(InterruptMessage)
    }

    /// The routing of a PC: what the kernel begins with.
    package static let standardRouting: [(interrupt: UInt32, route: Route)] =
        (0..<16).map { ($0, .pic(pin: $0)) }
        // The interval timer is wired to input 2 (MADT, interrupt source override).
        + (0..<24).map { ($0, .ioapic(pin: $0 == 0 ? 2 : $0)) }.filter { $0.0 != 2 }

    /// Replaces all routes; an interrupt may have several.
    package func setRouting(_ routes: [(interrupt: UInt32, route: Route)]) throws(KVMError) {
        let header = MemoryLayout<kvm_irq_routing>.size
        let stride = MemoryLayout<kvm_irq_routing_entry>.stride
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: header + stride * routes.count, alignment: 8)
        defer { buffer.deallocate() }
        buffer.storeBytes(of: UInt32(routes.count), toByteOffset: 0, as: UInt32.self)
        buffer.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
        for (index, (interrupt, route)) in routes.enumerated() {
            buffer.storeBytes(
                of: Self.entry(interrupt, route), toByteOffset: header + stride * index, as: kvm_irq_routing_entry.self)
        }
        try kvm { () throws(SystemError) in
            try descriptor.control(
                "KVM_SET_GSI_ROUTING", AERIE_KVM_SET_GSI_ROUTING, UInt(bitPattern: buffer.baseAddress))
        }
    }

    private static func entry(_ interrupt: UInt32, _ route: Route) -> kvm_irq_routing_entry {
        var entry = kvm_irq_routing_entry()
        entry.gsi = interrupt
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

    /// From now on each signal of `event` raises an interrupt (an edge), without a way through this process.
    package func connect(_ event: borrowing EventCounter, to interrupt: UInt32) throws(KVMError) {
        try setConnection(event.rawValue, interrupt, flags: 0)
    }

    /// Ends what `connect` began.
    package func disconnect(_ event: borrowing EventCounter, from interrupt: UInt32) throws(KVMError) {
        try setConnection(event.rawValue, interrupt, flags: UInt32(KVM_IRQFD_FLAG_DEASSIGN))
    }

    private func setConnection(_ event: Int32, _ interrupt: UInt32, flags: UInt32) throws(KVMError) {
        var request = kvm_irqfd()
        request.fd = UInt32(event)
        request.gsi = interrupt
        request.flags = flags
        try kvm { () throws(SystemError) in try descriptor.control("KVM_IRQFD", AERIE_KVM_IRQFD, &request) }
    }

    /// Where a guest's write is only a signal.
    package enum DoorbellPlace: Sendable {
        case memory(address: UInt64)
        case port(UInt16)
    }

    /// From now on a write of `size` bytes (1, 2, 4 or 8) with `value` there signals `event`, and the vCPU goes on at once.
    package func ring(
        _ event: borrowing EventCounter, at doorbell: DoorbellPlace, size: UInt32, value: UInt64
    ) throws(KVMError) {
        try setDoorbell(event.rawValue, doorbell, size, value, flags: 0)
    }

    /// Ends what `ring` with the same arguments began.
    package func unring(
        _ event: borrowing EventCounter, at doorbell: DoorbellPlace, size: UInt32, value: UInt64
    ) throws(KVMError) {
        // KVM_IOEVENTFD_FLAG_DEASSIGN
        try setDoorbell(event.rawValue, doorbell, size, value, flags: 1 << 2)
    }

    private func setDoorbell(
        _ event: Int32, _ doorbell: DoorbellPlace, _ size: UInt32, _ value: UInt64, flags: UInt32
    ) throws(KVMError) {
        var request = kvm_ioeventfd()
        request.fd = event
        request.len = size
        request.datamatch = value
        // KVM_IOEVENTFD_FLAG_DATAMATCH and, for ports, KVM_IOEVENTFD_FLAG_PIO.
        request.flags = flags | 1 << 0
        switch doorbell {
        case .memory(let address): request.addr = address
        case .port(let port):
            request.addr = UInt64(port)
            request.flags |= 1 << 1
        }
        try kvm { () throws(SystemError) in try descriptor.control("KVM_IOEVENTFD", AERIE_KVM_IOEVENTFD, &request) }
    }
}

extension KVMMachine: DoorbellBoard {
    package func connect(_ bell: Doorbell, at address: UInt64, size: Int, value: UInt64) -> Bool {
        // Refused where two connections would be the same, or beyond the kernel's thousand.
        (try? setDoorbell(bell.rawValue, .memory(address: address), UInt32(size), value, flags: 0)) != nil
    }

    package func disconnect(_ bell: Doorbell, at address: UInt64, size: Int, value: UInt64) {
        // KVM_IOEVENTFD_FLAG_DEASSIGN
        _ = try? setDoorbell(bell.rawValue, .memory(address: address), UInt32(size), value, flags: 1 << 2)
    }
}
