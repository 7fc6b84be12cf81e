internal import Machine
internal import Synchronization

extension HartState {
    /// Takes an exception at `pc` (Privileged Architecture 3.1.7 to 3.1.16).
    mutating func take(_ trap: Trap) {
        enterTrap(number: trap.cause.rawValue, delegation: csr.medeleg, cause: trap.cause.rawValue, value: trap.value)
    }

    /// Takes the interrupt with bit number `number` of mip before the instruction at `pc`.
    mutating func takeInterrupt(_ number: UInt64) {
        enterTrap(number: number, delegation: csr.mideleg, cause: 1 << 63 | number, value: 0)
    }

    private mutating func enterTrap(number: UInt64, delegation: UInt64, cause: UInt64, value: UInt64) {
        var status = csr.status
        let vector: UInt64
        if privilege <= .supervisor, delegation >> number & 1 == 1 {
            csr.scause = cause
            csr.sepc = pc
            csr.stval = value
            status.replace(Status.spie, by: status & Status.sie != 0)
            status.replace(Status.sie, by: false)
            status.replace(Status.spp, by: privilege == .supervisor)
            privilege = .supervisor
            vector = csr.stvec
        } else {
            csr.mcause = cause
            csr.mepc = pc
            csr.mtval = value
            status.replace(Status.mpie, by: status & Status.mie != 0)
            status.replace(Status.mie, by: false)
            status = status & ~Status.mpp | UInt64(privilege.rawValue) << Status.mppShift
            privilege = .machine
            vector = csr.mtvec
        }
        csr.setStatus(status)
        // Vectored mode adds four bytes for each interrupt number, and applies to interrupts only.
        let vectored = vector & 3 == 1 && cause >> 63 == 1
        pc = (vector & ~3) &+ (vectored ? 4 * number : 0)
        contextChanged()
    }

    /// MRET (Privileged Architecture 3.1.6.1 and 3.3.2).
    mutating func returnFromMachineTrap() {
        var status = csr.status
        let previous = PrivilegeMode(rawValue: UInt8(status >> Status.mppShift & 3)) ?? .user
        status.replace(Status.mie, by: status & Status.mpie != 0)
        status |= Status.mpie
        status &= ~Status.mpp
        if previous != .machine { status &= ~Status.mprv }
        csr.setStatus(status)
        privilege = previous
        pc = csr.mepc
        reservation.clear()
        contextChanged()
    }

    /// SRET.
    mutating func returnFromSupervisorTrap() {
        var status = csr.status
        privilege = status & Status.spp != 0 ? .supervisor : .user
        status.replace(Status.sie, by: status & Status.spie != 0)
        status |= Status.spie
        status &= ~(Status.spp | Status.mprv)
        csr.setStatus(status)
        pc = csr.sepc
        reservation.clear()
        contextChanged()
    }

    /// mip as software reads it, timers as of now.
    mutating func pendingInterrupts() -> UInt64 {
        signals.pointee.lines.load(ordering: .acquiring) | signals.pointee.software.load(ordering: .acquiring)
            | timerInterrupts()
    }

    /// MTIP and STIP by the clock (Privileged Architecture 3.2.1; Sstc).
    mutating func timerInterrupts() -> UInt64 {
        let now = timeBase.now
        var pending: UInt64 = now >= signals.pointee.machineDeadline.load(ordering: .relaxed) ? Interrupt.mtip : 0
        if csr.menvcfg & Environment.stce != 0, now >= csr.stimecmp { pending |= Interrupt.stip }
        return pending
    }

    /// Finds out which timers have expired, and when to do so again.
    mutating func lookAtClock() {
        timerPending = timerInterrupts()
        pollAt = retired &+ pollInterval
    }

    /// The number of the interrupt to take among `pending` bits of mip, by privilege, enables and priority
    /// (Privileged Architecture 3.1.9); nil when none is to be taken now.
    mutating func interruptToTake(_ pending: UInt64) -> UInt64? {
        let enabled = pending & csr.mie
        guard enabled != 0 else { return nil }
        let machineOpen = privilege < .machine || csr.status & Status.mie != 0
        let supervisorOpen = privilege < .supervisor || privilege == .supervisor && csr.status & Status.sie != 0
        let forMachine = machineOpen ? enabled & ~csr.mideleg : 0
        let ready = forMachine != 0 ? forMachine : supervisorOpen ? enabled & csr.mideleg : 0
        guard ready != 0 else { return nil }
        return Interrupt.byPriority.first { ready >> $0 & 1 == 1 }
    }

    /// An interrupt can be taken now, going by the last look at the clock.
    @inline(__always)
    mutating func interruptReady() -> Bool {
        let pending =
            signals.pointee.lines.load(ordering: .relaxed) | signals.pointee.software.load(ordering: .relaxed)
            | timerPending
        return pending & csr.mie != 0 && interruptToTake(pending) != nil
    }
}

extension UInt64 {
    /// Sets or clears the bits of `field`.
    @inline(__always)
    mutating func replace(_ field: UInt64, by value: Bool) {
        self = value ? self | field : self & ~field
    }
}
