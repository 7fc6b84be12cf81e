extension HartState {
    /// Takes an exception at `pc` (Privileged Architecture 3.1.7 to 3.1.16).
    mutating func take(_ trap: Trap) {
        let number = trap.cause.rawValue
        let isDelegated = privilege <= .supervisor && csr.medeleg >> number & 1 == 1
        let isGuests = isDelegated && isVirtual && csr.hypervisor.hedeleg >> number & 1 == 1
        enterTrap(in: isGuests ? .guest : isDelegated ? .supervisor : .machine, cause: number, trap: trap)
    }

    /// Takes an interrupt before the instruction at `pc`.
    mutating func takeInterrupt(_ interrupt: DueInterrupt) {
        enterTrap(in: interrupt.level, cause: 1 << 63 | interrupt.number, trap: nil)
    }

    private mutating func enterTrap(in level: TrapLevel, cause: UInt64, trap: Trap?) {
        let vector: UInt64
        switch level {
        case .guest: vector = enterSupervisorTrap(cause: cause, value: trap?.value ?? 0)
        case .supervisor:
            if hasHypervisor { leaveGuestForSupervisor(trap) }
            vector = enterSupervisorTrap(cause: cause, value: trap?.value ?? 0)
        case .machine:
            if hasHypervisor { leaveGuestForMachine(trap) }
            vector = enterMachineTrap(cause: cause, value: trap?.value ?? 0)
        }
        // Vectored mode adds four bytes for each interrupt number, and applies to interrupts only.
        let vectored = vector & 3 == 1 && cause >> 63 == 1
        pc = (vector & ~3) &+ (vectored ? 4 * (cause & ~(1 << 63)) : 0)
        contextChanged()
    }

    /// Stacks the state in the registers of the supervisor that runs; returns its vector.
    private mutating func enterSupervisorTrap(cause: UInt64, value: UInt64) -> UInt64 {
        var status = csr.status
        csr.scause = cause
        csr.sepc = pc
        csr.stval = value
        status.replace(Status.spie, by: status & Status.sie != 0)
        status.replace(Status.sie, by: false)
        status.replace(Status.spp, by: privilege == .supervisor)
        privilege = .supervisor
        csr.setStatus(status)
        return csr.stvec
    }

    private mutating func enterMachineTrap(cause: UInt64, value: UInt64) -> UInt64 {
        var status = csr.status
        csr.mcause = cause
        csr.mepc = pc
        csr.mtval = value
        status.replace(Status.mpie, by: status & Status.mie != 0)
        status.replace(Status.mie, by: false)
        status = status & ~Status.mpp | UInt64(privilege.rawValue) << Status.mppShift
        privilege = .machine
        csr.setStatus(status)
        return csr.mtvec
    }

    /// MRET (Privileged Architecture 3.1.6.1 and 3.3.2).
    mutating func returnFromMachineTrap() {
        var status = csr.status
        let previous = PrivilegeMode(rawValue: UInt8(status >> Status.mppShift & 3)) ?? .user
        let entersGuest = status & Status.mpv != 0 && previous != .machine
        status.replace(Status.mie, by: status & Status.mpie != 0)
        status |= Status.mpie
        status &= ~(Status.mpp | Status.mpv)
        if previous != .machine { status &= ~Status.mprv }
        csr.setStatus(status)
        privilege = previous
        pc = csr.mepc
        reservation.clear()
        if entersGuest { setVirtual(true) }
        contextChanged()
    }

    /// SRET: in a guest from its own trap, else to where hstatus.SPV says.
    mutating func returnFromSupervisorTrap() {
        var status = csr.status
        let entersGuest = !isVirtual && csr.hypervisor.hstatus & HypervisorStatus.spv != 0
        privilege = status & Status.spp != 0 ? .supervisor : .user
        status.replace(Status.sie, by: status & Status.spie != 0)
        status |= Status.spie
        status &= ~(Status.spp | Status.mprv)
        csr.setStatus(status)
        pc = csr.sepc
        reservation.clear()
        if entersGuest {
            csr.hypervisor.hstatus &= ~HypervisorStatus.spv
            setVirtual(true)
        }
        contextChanged()
    }
}

extension UInt64 {
    /// Sets or clears the bits of `field`.
    @inline(__always)
    mutating func replace(_ field: UInt64, by value: Bool) {
        self = value ? self | field : self & ~field
    }
}
