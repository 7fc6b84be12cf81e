internal import Machine
internal import Synchronization

// Pending interrupts of the Advanced Interrupt Architecture, chapters 5 and 6.

extension HartState {
    /// SGEIP and VSEIP as guest interrupt files have them (Privileged Architecture, "Hypervisor Guest External Interrupt Registers").
    var guestExternalInterrupts: UInt64 {
        @inline(never) mutating get {
            let lines = signals.pointee.guestExternal.load(ordering: .acquiring)
            let file = UInt64(selectedGuestFile)
            return (lines & csr.advanced.hgeie != 0 ? Interrupt.sgeip : 0)
                | (file != 0 && lines >> file & 1 == 1 ? Interrupt.vseip : 0)
        }
    }

    /// `Interrupt.virtual`, or 0.
    var virtualInterrupts: UInt64 {
        @inline(never) mutating get {
            let isInjected = csr.advanced.controlsGuest && injectedInterrupt != nil
            return virtualPending & csr.advanced.sie != 0 || isInjected ? Interrupt.virtual : 0
        }
    }

    /// The number of the interrupt that hvictl gives the guest; nil for none but the external one, and where vstopi shows 0 for it.
    private var injectedInterrupt: UInt64? {
        mutating get {
            let control = csr.advanced.hvictl
            let number = (control & VirtualInterruptControl.iid) >> VirtualInterruptControl.iidShift
            if number == Self.external { return nil }
            let isLow = control & VirtualInterruptControl.dpr != 0
            return number == 0 && shown(control & VirtualInterruptControl.iprio, isLow: isLow) == 0 ? nil : number
        }
    }

    private static var external: UInt64 { 9 }
    /// The priority of an external interrupt whose controller gives it none.
    private static var lowestPriority: UInt64 { 256 }

    // MARK: Top interrupts. Without priorities IPRIO is always 1.

    mutating func topMachineInterrupt() -> UInt64 {
        let enabled = pendingInterrupts() & csr.mie & ~Interrupt.virtual
        return Self.top(Interrupt.best(of: enabled & ~csr.mideleg))
    }

    mutating func topSupervisorInterrupt() -> UInt64 {
        let enabled = pendingInterrupts() & csr.mie & csr.mideleg & ~csr.hypervisor.hideleg
        return Self.top(Interrupt.best(of: enabled | virtualPending & csr.advanced.sie))
    }

    mutating func topGuestInterrupt() -> UInt64 {
        topGuestInterrupt(pendingInterrupts()).map { $0.identity << 16 | $0.priority } ?? 0
    }

    private static func top(_ number: UInt64?) -> UInt64 { number.map { $0 << 16 | 1 } ?? 0 }

    /// The interrupt of the guest with the highest priority (section 6.3.3), by its number in the guest, with the priority that vstopi shows.
    @inline(never)
    mutating func topGuestInterrupt(_ pending: UInt64) -> (identity: UInt64, priority: UInt64)? {
        let ready = pending & csr.mie & csr.hypervisor.hideleg & Interrupt.guest
        let external = ready & Interrupt.vseip != 0 ? externalPriority() : nil
        let control = csr.advanced.hvictl
        if csr.advanced.controlsGuest, let number = injectedInterrupt {
            let priority = control & VirtualInterruptControl.iprio
            let isLow = control & VirtualInterruptControl.dpr != 0
            guard let external else { return (number, shown(priority, isLow: isLow)) }
            // 0 is the default: above all numbers, or below.
            let rank = priority != 0 ? priority : isLow ? .max : 0
            return rank < external || rank == external && !isLow
                ? (number, shown(priority, isLow: isLow)) : (Self.external, shown(external, isLow: false))
        }
        // Other interrupts have no priorities of their own, and lower ones by default.
        if let external { return (Self.external, shown(external, isLow: false)) }
        guard !csr.advanced.controlsGuest, let number = Interrupt.best(of: ready) else { return nil }
        return (number - 1, shown(0, isLow: true))
    }

    /// The priority of the guest's external interrupt: what its interrupt file or hvictl says.
    private mutating func externalPriority() -> UInt64 {
        let control = csr.advanced.hvictl
        let file = csr.hypervisor.hstatus & HypervisorStatus.vgein
        if file != 0 {
            let guest = selectedGuestFile
            let top = guest > 0 ? interruptFiles?.guests[guest - 1].top(claims: false) ?? 0 : 0
            return top != 0 ? top & 0x7FF : Self.lowestPriority
        }
        let isNamed = (control & VirtualInterruptControl.iid) >> VirtualInterruptControl.iidShift == Self.external
        let priority = control & VirtualInterruptControl.iprio
        return isNamed && priority != 0 ? priority : Self.lowestPriority
    }

    /// A priority as vstopi shows it.
    private mutating func shown(_ priority: UInt64, isLow: Bool) -> UInt64 {
        guard csr.advanced.hvictl & VirtualInterruptControl.ipriom != 0 else { return 1 }
        return priority == 0 ? (isLow ? 255 : 0) : min(priority, 255)
    }

    // MARK: Access

    /// Whether M-mode has opened a register of the architecture to the modes below it (section 2.5 and 5.3). Others are open.
    @inline(never)
    mutating func isAdvancedOpen(_ number: Int) -> Bool {
        // Without the hypervisor extension the hart has no state enables.
        let enables = hasHypervisor ? csr.hypervisor.mstateen[0] : .max
        // Of the supervisor's own interrupt file; a guest has its own.
        let hasFile = isVirtual || csr.advanced.mvien & Interrupt.seip == 0
        switch number {
        case CSR.siselect, CSR.vsiselect: return enables & StateEnable.indirect != 0
        case CSR.sireg, CSR.vsireg:
            guard enables & StateEnable.indirect != 0 else { return false }
            // Where the guest may not access it in any case, other bits do not matter.
            if isVirtual, number == CSR.vsireg || privilege == .user { return true }
            let isGuests = isVirtual || number == CSR.vsireg
            switch isGuests ? csr.advanced.vsiselect : csr.advanced.siselect {
            case 0x30...0x3F: return isGuests || enables & StateEnable.advancedInterrupts != 0
            case 0x70...0xFF: return enables & StateEnable.interruptFiles != 0 && (isGuests || hasFile)
            default: return true
            }
        case CSR.stopei: return enables & StateEnable.interruptFiles != 0 && hasFile
        case CSR.vstopei: return enables & StateEnable.interruptFiles != 0
        case CSR.stopi, CSR.hvien, CSR.hvictl, CSR.hviprio1, CSR.hviprio2, CSR.vstopi:
            return enables & StateEnable.advancedInterrupts != 0
        default: return true
        }
    }

    /// Whether the hypervisor has opened a supervisor's register of the architecture to VS-mode (sections 2.3 and 2.5).
    @inline(never)
    mutating func isAdvancedOpenToGuest(_ number: Int) -> Bool {
        let enables = csr.hypervisor.hstateen[0] & csr.hypervisor.mstateen[0]
        switch number {
        case CSR.siselect: return enables & StateEnable.indirect != 0
        case CSR.sireg:
            guard enables & StateEnable.indirect != 0 else { return false }
            if 0x70...0xFF ~= csr.advanced.vsiselect, enables & StateEnable.interruptFiles == 0 { return false }
            return accessInterruptFile(number, keeping: .max, setting: 0, isWrite: false) != nil
        case CSR.stopei: return enables & StateEnable.interruptFiles != 0 && selectedGuestFile > 0
        case CSR.stopi: return enables & StateEnable.advancedInterrupts != 0
        default: return true
        }
    }
}
