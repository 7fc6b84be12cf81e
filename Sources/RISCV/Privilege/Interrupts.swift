internal import Machine
internal import Synchronization

extension HartState {
    /// mip as software reads it, timers as of now.
    mutating func pendingInterrupts() -> UInt64 {
        signals.pointee.lines.load(ordering: .acquiring) | signals.pointee.software.load(ordering: .acquiring)
            | localInterrupts()
    }

    /// The pending interrupts that do not come from outside: MTIP and STIP by the clock (Privileged Architecture 3.2.1; Sstc), and
    /// a guest's by hvip and by the clock.
    mutating func localInterrupts() -> UInt64 {
        let now = timeBase.now
        var pending: UInt64 = now >= signals.pointee.machineDeadline.load(ordering: .relaxed) ? Interrupt.mtip : 0
        if comparesSupervisorTimer, now >= csr.stimecmp { pending |= Interrupt.stip }
        if hasHypervisor {
            pending |= csr.hypervisor.hvip
            if guestEnvironment & Environment.stce != 0, now &+ csr.hypervisor.htimedelta >= csr.hypervisor.vstimecmp {
                pending |= Interrupt.vstip
            }
        }
        return pending
    }

    /// STIP is pending by the clock. Without Sstc no software reaches `stimecmp`: SBI's timer uses it, and with firmware, which sets STIP itself,
    /// it stays at its greatest value.
    var comparesSupervisorTimer: Bool {
        mutating get { csr.menvcfg & Environment.stce != 0 || !extensions.contains(.sstc) }
    }

    /// Makes STIP pending from `deadline` on, in ticks of mtime, and not before.
    mutating func setSupervisorTimer(_ deadline: UInt64) {
        csr.stimecmp = deadline
        localPending = localInterrupts()
    }

    /// When vstimecmp makes VSTIP pending, by the hart's own time, if it has not yet.
    var guestDeadline: UInt64 {
        mutating get {
            let now = timeBase.now
            let (deadline, overflows) = now.addingReportingOverflow(
                csr.hypervisor.vstimecmp &- (now &+ csr.hypervisor.htimedelta))
            return overflows ? .max : deadline
        }
    }

    /// Finds out which timers have expired, and when to do so again.
    mutating func lookAtClock() {
        localPending = localInterrupts()
        pollAt = retired &+ pollInterval
    }

    /// The number of the interrupt to take among `pending` bits of mip, by privilege, enables and priority
    /// (Privileged Architecture 3.1.9); nil when none is to be taken now.
    mutating func interruptToTake(_ pending: UInt64) -> UInt64? {
        let enabled = pending & csr.mie
        guard enabled != 0 else { return nil }
        let machineOpen = privilege < .machine || csr.status & Status.mie != 0
        let forMachine = machineOpen ? enabled & ~csr.mideleg : 0
        let delegated = enabled & csr.mideleg
        let supervisorOpen = privilege < .supervisor || privilege == .supervisor && csr.status & Status.sie != 0
        var ready = forMachine
        if ready == 0, isVirtual || supervisorOpen { ready = delegated & ~csr.hypervisor.hideleg }
        // In a guest, `supervisorOpen` is VS-mode's.
        if ready == 0, isVirtual, supervisorOpen { ready = delegated & csr.hypervisor.hideleg }
        guard ready != 0 else { return nil }
        return Interrupt.byPriority.first { ready >> $0 & 1 == 1 }
    }

    /// An interrupt can be taken now, going by the last look at the clock.
    @inline(__always)
    mutating func interruptReady() -> Bool {
        let pending =
            signals.pointee.lines.load(ordering: .relaxed) | signals.pointee.software.load(ordering: .relaxed)
            | localPending
        return pending & csr.mie != 0 && interruptToTake(pending) != nil
    }
}
