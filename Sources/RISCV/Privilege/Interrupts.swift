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
            if guestFileCount > 0 { pending |= guestExternalInterrupts }
            if guestEnvironment & Environment.stce != 0, now &+ csr.hypervisor.htimedelta >= csr.hypervisor.vstimecmp {
                pending |= Interrupt.vstip
            }
        }
        if hasAdvancedInterrupts { pending |= virtualInterrupts }
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

    /// The interrupt to take among `pending` bits of mip, by privilege, enables and priority (Privileged Architecture 3.1.9); nil when none is
    /// to be taken now.
    mutating func interruptToTake(_ pending: UInt64) -> DueInterrupt? {
        let enabled = pending & csr.mie & ~Interrupt.virtual
        guard pending & csr.mie != 0 else { return nil }
        let machineOpen = privilege < .machine || csr.status & Status.mie != 0
        let forMachine = machineOpen ? enabled & ~csr.mideleg : 0
        let delegated = enabled & csr.mideleg
        let supervisorOpen = privilege < .supervisor || privilege == .supervisor && csr.status & Status.sie != 0
        if let number = Interrupt.best(of: forMachine) { return DueInterrupt(number: number, level: .machine) }
        if isVirtual || supervisorOpen {
            let ready = delegated & ~csr.hypervisor.hideleg | virtualPending & csr.advanced.sie
            if let number = Interrupt.best(of: ready) { return DueInterrupt(number: number, level: .supervisor) }
        }
        // In a guest, `supervisorOpen` is VS-mode's.
        guard isVirtual, supervisorOpen else { return nil }
        if hasAdvancedInterrupts {
            return topGuestInterrupt(pending).map { DueInterrupt(number: $0.identity, level: .guest) }
        }
        // A guest's interrupts have the numbers of a supervisor's there.
        let number = Interrupt.best(of: delegated & csr.hypervisor.hideleg)
        return number.map { DueInterrupt(number: $0 - 1, level: .guest) }
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

/// Where a trap is taken.
enum TrapLevel {
    case machine, supervisor, guest
}

/// An interrupt that is to be taken: its number as its level sees it.
struct DueInterrupt {
    let number: UInt64
    let level: TrapLevel
}

extension Interrupt {
    /// The number of the interrupt with the highest default priority among bits of mip.
    @inline(__always)
    static func best(of ready: UInt64) -> UInt64? {
        ready == 0 ? nil : byPriority.first { ready >> $0 & 1 == 1 }
    }
}
