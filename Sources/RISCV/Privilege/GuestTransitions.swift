internal import TranslationRuntime

extension HartState {
    /// Begins or ends the execution of a guest (V).
    mutating func setVirtual(_ virtual: Bool) {
        guard virtual != isVirtual else { return }
        isVirtual = virtual
        csr.exchangeBanks(isVirtual: virtual)
        // Generated code looks at both floating-point units' states again.
        translation.floatReady = 0
    }

    /// The registers of a trap to HS-mode that only hypervisors have. A nil trap is an interrupt.
    mutating func leaveGuestForSupervisor(_ trap: Trap?) {
        let instruction = trap.map { trapInstruction($0) } ?? 0
        csr.hypervisor.hstatus.replace(HypervisorStatus.gva, by: hasGuestAddress(trap))
        csr.hypervisor.hstatus.replace(HypervisorStatus.spv, by: isVirtual)
        if isVirtual { csr.hypervisor.hstatus.replace(HypervisorStatus.spvp, by: privilege == .supervisor) }
        csr.hypervisor.htval = (trap?.guestPhysical ?? 0) >> 2
        csr.hypervisor.htinst = instruction
        setVirtual(false)
    }

    /// The same for a trap to M-mode.
    mutating func leaveGuestForMachine(_ trap: Trap?) {
        let instruction = trap.map { trapInstruction($0) } ?? 0
        var status = csr.status
        status.replace(Status.gva, by: hasGuestAddress(trap))
        status.replace(Status.mpv, by: isVirtual)
        csr.setStatus(status)
        csr.hypervisor.mtval2 = (trap?.guestPhysical ?? 0) >> 2
        csr.hypervisor.mtinst = instruction
        setVirtual(false)
    }

    /// Whether the trap's value is a guest-virtual address.
    private mutating func hasGuestAddress(_ trap: Trap?) -> Bool {
        guard let trap, trap.cause.hasAddress else { return false }
        return isVirtual || trap.isFromOutside || trap.cause.isOfData && dataContext.isVirtual
    }

    /// The value of htinst: 0 but for guest-page faults of loads and stores.
    private mutating func trapInstruction(_ trap: Trap) -> UInt64 {
        if trap.pseudoinstruction != 0 { return trap.pseudoinstruction }
        guard trap.cause == .loadGuestPageFault || trap.cause == .storeGuestPageFault else { return 0 }
        // The instruction was fetched before; if its page is gone since, 0 is allowed.
        guard let bits = try? fetchBits(pc) else { return 0 }
        return TransformedInstruction(bits).map { $0.bits(fault: trap.value, base: x[Int($0.base)]) } ?? 0
    }
}
