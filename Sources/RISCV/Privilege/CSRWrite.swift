internal import Synchronization

extension HartState {
    /// Writes a CSR by its WARL rules; nothing if the hart has none of that number. The CSR may be written. `retired` counts the writing instruction.
    mutating func writeCSR(_ number: Int, _ value: UInt64) {
        if extensions.lacksCSR(number) { return }
        switch number {
        case CSR.fflags: csr.fflags = UInt8(value & 31)
        case CSR.frm: csr.frm = UInt8(value & 7)
        case CSR.fcsr:
            csr.fflags = UInt8(value & 31)
            csr.frm = UInt8(value >> 5 & 7)
        case CSR.sstatus...CSR.satp: writeSupervisorCSR(number, value)
        case CSR.mcycle: csr.cycleOffset = counterOffset(value, inhibit: 0)
        case CSR.minstret: csr.instretOffset = counterOffset(value, inhibit: 2)
        case CSR.pmpcfg0, CSR.pmpcfg2, CSR.pmpaddr: writeProtection(number, value)
        case CSR.mtinst, CSR.mtval2, CSR.mstateen: if hasHypervisor { writeHypervisorCSR(number, value) }
        case CSR.mstatus...CSR.mip: writeMachineCSR(number, value)
        default: if hasHypervisor { writeHypervisorCSR(number, value) } else { writeAdvancedCSR(number, value) }
        }
        if CSR.fflags...CSR.fcsr ~= number { csr.setFloatingPointDirty() }
    }

    private mutating func writeSupervisorCSR(_ number: Int, _ value: UInt64) {
        switch number {
        case CSR.sstatus: writeStatus(value, mask: Status.supervisorWritable)
        case CSR.sie where isVirtual: enableGuestInterrupts(value)
        case CSR.sie:
            let mask = csr.mideleg & Interrupt.supervisor
            csr.mie = csr.mie & ~mask | value & mask
            if hasAdvancedInterrupts { enableVirtualInterrupts(value) }
        case CSR.sip where isVirtual: writeGuestPending(value)
        case CSR.sip:
            writeSoftwareInterrupts(value, mask: Interrupt.ssip & csr.mideleg)
            if hasAdvancedInterrupts { writeVirtualPending(value) }
        case CSR.stvec: if value & 2 == 0 { csr.stvec = value }
        case CSR.scounteren: csr.scounteren = value & extensions.counters
        case CSR.senvcfg: csr.senvcfg = environment(csr.senvcfg, value, mask: extensions.supervisorEnvironment)
        case CSR.sscratch: csr.sscratch = value
        case CSR.sepc: csr.sepc = value & ~1
        case CSR.scause: csr.scause = value
        case CSR.stval: csr.stval = value
        case CSR.stimecmp where isVirtual: writeGuestTimer(value)
        case CSR.stimecmp: setSupervisorTimer(value)
        case CSR.satp: writeTranslation(value)
        default: writeAdvancedCSR(number, value)
        }
    }

    private mutating func writeMachineCSR(_ number: Int, _ value: UInt64) {
        switch number {
        case CSR.mstatus: writeStatus(value, mask: hasHypervisor ? Status.stored : Status.writable)
        // Everything but calls from M-mode, which are always taken there, and the reserved causes.
        case CSR.medeleg: csr.medeleg = value & (hasHypervisor ? 0xB3FF | HypervisorRegisters.causes : 0xB3FF)
        case CSR.mideleg:
            csr.mideleg = value & Interrupt.supervisor | guestDelegation
            if hasAdvancedInterrupts { virtualInterruptsChanged() }
        case CSR.mie: csr.mie = value & (Interrupt.all | guestDelegation) | alwaysEnabled
        case CSR.mip:
            let timer = csr.menvcfg & Environment.stce == 0 ? Interrupt.stip : 0
            writeSoftwareInterrupts(
                value, mask: Interrupt.ssip | Interrupt.seip & ~csr.advanced.mvien | timer)
            if hasHypervisor { raiseGuestInterrupts(value, mask: Interrupt.vssip) }
        case CSR.mtvec: if value & 2 == 0 { csr.mtvec = value }
        case CSR.mcounteren: csr.mcounteren = value & extensions.counters
        case CSR.menvcfg: writeMachineEnvironment(value)
        case CSR.mcountinhibit: writeCounterInhibit(value)
        case CSR.mscratch: csr.mscratch = value
        case CSR.mepc: csr.mepc = value & ~1
        case CSR.mcause: csr.mcause = value
        case CSR.mtval: csr.mtval = value
        default: writeAdvancedCSR(number, value)
        }
    }

    private mutating func writeStatus(_ value: UInt64, mask: UInt64) {
        let old = csr.status
        var new = old & ~mask | value & mask
        // MPP holds 0, 1 or 3; the reserved 2 leaves it as it was.
        if new >> Status.mppShift & 3 == 2 { new = new & ~Status.mpp | old & Status.mpp }
        csr.setStatus(new)
        // Entries of the TLB hold the permissions that MXR gave when they were made; SUM selects among sets of entries. Fetches know
        // neither, and generated code that goes on here relies on what it has fetched.
        if (old ^ new) & Status.mxr != 0 { flushDataTranslations() }
        if (old ^ new) & (Status.mprv | Status.mpp | Status.mpv | Status.sum) != 0 { contextChanged() }
    }

    mutating func writeSoftwareInterrupts(_ value: UInt64, mask: UInt64) {
        // Other threads set bits at the same time; only the bits of `mask` may change here.
        signals.pointee.software.bitwiseOr(value & mask, ordering: .acquiringAndReleasing)
        signals.pointee.software.bitwiseAnd(value | ~mask, ordering: .acquiringAndReleasing)
    }

    mutating func environment(_ old: UInt64, _ value: UInt64, mask: UInt64) -> UInt64 {
        var new = value & mask
        // CBIE 2 is reserved.
        if new & Environment.cbie == 2 << 4 { new = new & ~Environment.cbie | old & Environment.cbie }
        return new
    }

    private mutating func writeMachineEnvironment(_ value: UInt64) {
        let old = csr.menvcfg
        csr.menvcfg = environment(old, value, mask: extensions.machineEnvironment)
        let changed = old ^ csr.menvcfg
        if changed & (Environment.adue | Environment.pbmte) != 0 { flushTranslations() }
        if changed & Environment.stce != 0 {
            // STIP is either software's bit or the comparison's, never both.
            signals.pointee.software.bitwiseAnd(~Interrupt.stip, ordering: .acquiringAndReleasing)
            localPending = localInterrupts()
        }
    }

    private mutating func counterOffset(_ value: UInt64, inhibit: UInt64) -> UInt64 {
        csr.mcountinhibit >> inhibit & 1 == 1 ? value : value &- retired
    }

    private mutating func writeCounterInhibit(_ value: UInt64) {
        // Bit 1 would stop time, which is not ours. Offsets change their meaning when a counter stops or starts.
        let new = value & 0xFFFF_FFFD
        let changed = csr.mcountinhibit ^ new
        csr.mcountinhibit = new
        if changed & 1 != 0 { csr.cycleOffset = new & 1 != 0 ? csr.cycleOffset &+ retired : csr.cycleOffset &- retired }
        if changed & 4 != 0 {
            csr.instretOffset = new & 4 != 0 ? csr.instretOffset &+ retired : csr.instretOffset &- retired
        }
    }

    private mutating func writeProtection(_ number: Int, _ value: UInt64) {
        if CSR.pmpaddr ~= number {
            protection.setAddress(number - CSR.pmpaddr.lowerBound, value)
        } else {
            let first = number == CSR.pmpcfg0 ? 0 : 8
            for index in 0..<8 {
                protection.setConfiguration(first + index, UInt8(truncatingIfNeeded: value >> UInt64(8 * index)))
            }
        }
        flushTranslations()
    }

    /// Bits of mideleg that are always set: interrupts of guests are never M-mode's.
    var guestDelegation: UInt64 { hasHypervisor ? Interrupt.guest | (guestFileCount > 0 ? Interrupt.sgeip : 0) : 0 }

    private mutating func writeTranslation(_ value: UInt64) {
        // A write with a mode that the hart lacks has no effect at all (10.1.11).
        guard pagingMode.accepts(satp: value) else { return }
        guard value != csr.satp else { return }
        csr.satp = value
        addressSpaceChanged()
    }
}
