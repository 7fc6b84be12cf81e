internal import Synchronization

// The registers of the hypervisor extension as HS-mode and M-mode access them. No guest runs then: `csr.inactive` is VS-mode's.

extension HartState {
    mutating func readHypervisorCSR(_ number: Int) -> UInt64? {
        let hypervisor = csr.hypervisor
        switch number {
        case CSR.hstatus: return hypervisor.hstatus | HypervisorStatus.width
        case CSR.hedeleg: return hypervisor.hedeleg
        case CSR.hideleg: return hypervisor.hideleg
        case CSR.hie: return csr.mie & guestDelegation
        case CSR.hip: return pendingInterrupts() & guestDelegation
        case CSR.hvip: return hypervisor.hvip
        case CSR.htimedelta: return hypervisor.htimedelta
        case CSR.hcounteren: return hypervisor.hcounteren
        case CSR.hgeie: return csr.advanced.hgeie
        case CSR.hgeip: return signals.pointee.guestExternal.load(ordering: .acquiring)
        case CSR.henvcfg: return guestEnvironment
        case CSR.htval: return hypervisor.htval
        case CSR.htinst: return hypervisor.htinst
        case CSR.hgatp: return hypervisor.hgatp
        case CSR.vstimecmp: return hypervisor.vstimecmp
        case CSR.mtval2: return hypervisor.mtval2
        case CSR.mtinst: return hypervisor.mtinst
        case CSR.mstateen: return hypervisor.mstateen[number & 3]
        case CSR.hstateen: return hypervisor.hstateen[number & 3] & hypervisor.mstateen[number & 3]
        // No state that the hart has is a supervisor's to open.
        case CSR.sstateen: return 0
        default: return readGuestCSR(number)
        }
    }

    private mutating func readGuestCSR(_ number: Int) -> UInt64? {
        let guest = csr.inactive
        switch number {
        case CSR.vsstatus:
            let dirty = guest.status & Status.fs == Status.fs ? Status.sd : 0
            return guest.status | Status.widths & Status.supervisorVisible | dirty
        case CSR.vsie: return guestInterruptView(csr.mie)
        case CSR.vsip: return guestInterruptView(pendingInterrupts())
        case CSR.vstvec: return guest.stvec
        case CSR.vsscratch: return guest.sscratch
        case CSR.vsepc: return guest.sepc
        case CSR.vscause: return guest.scause
        case CSR.vstval: return guest.stval
        case CSR.vsatp: return guest.satp
        default: return nil
        }
    }

    /// Bits of mip or mie as a guest sees them: the delegated ones, in the places of the supervisor's own.
    mutating func guestInterruptView(_ bits: UInt64) -> UInt64 {
        (bits & csr.hypervisor.hideleg & Interrupt.guest) >> 1
    }

    mutating func writeHypervisorCSR(_ number: Int, _ value: UInt64) {
        switch number {
        case CSR.hstatus: writeHypervisorStatus(value)
        case CSR.hedeleg: csr.hypervisor.hedeleg = value & HypervisorRegisters.delegable
        case CSR.hideleg: csr.hypervisor.hideleg = value & Interrupt.guest
        case CSR.hie: csr.mie = csr.mie & ~guestDelegation | value & guestDelegation
        case CSR.hgeie: enableGuestFiles(value)
        case CSR.hip: raiseGuestInterrupts(value, mask: Interrupt.vssip)
        case CSR.hvip: raiseGuestInterrupts(value, mask: Interrupt.guest)
        case CSR.htimedelta:
            csr.hypervisor.htimedelta = value
            localPending = localInterrupts()
        case CSR.hcounteren: csr.hypervisor.hcounteren = value & extensions.counters
        case CSR.henvcfg: writeGuestEnvironment(value)
        case CSR.htval: csr.hypervisor.htval = value
        case CSR.htinst: csr.hypervisor.htinst = value
        case CSR.hgatp:
            csr.hypervisor.setTranslation(value, widest: pagingMode)
            contextChanged()
        case CSR.vstimecmp: writeGuestTimer(value)
        case CSR.mtval2: csr.hypervisor.mtval2 = value
        case CSR.mtinst: csr.hypervisor.mtinst = value
        case CSR.mstateen:
            csr.hypervisor.mstateen[number & 3] = value & StateEnable.writable(number & 3, on: extensions)
        case CSR.hstateen:
            csr.hypervisor.hstateen[number & 3] = value & StateEnable.writable(number & 3, on: extensions)
        default: writeGuestCSR(number, value)
        }
    }

    private mutating func writeGuestCSR(_ number: Int, _ value: UInt64) {
        switch number {
        case CSR.vsstatus:
            let changed = csr.inactive.status ^ value
            csr.inactive.status = value & Status.supervisorWritable
            if changed & Status.mxr != 0 { flushGuests() }
            contextChanged()
        case CSR.vsie: enableGuestInterrupts(value)
        case CSR.vsip: writeGuestPending(value)
        case CSR.vstvec: if value & 2 == 0 { csr.inactive.stvec = value }
        case CSR.vsscratch: csr.inactive.sscratch = value
        case CSR.vsepc: csr.inactive.sepc = value & ~1
        case CSR.vscause: csr.inactive.scause = value
        case CSR.vstval: csr.inactive.stval = value
        case CSR.vsatp:
            // From outside of a guest an unsupported mode only leaves the mode as it was.
            let mode: UInt64 = 15 << 60
            let isLegal = pagingMode.accepts(satp: value)
            csr.inactive.satp = isLegal ? value : csr.inactive.satp & mode | value & ~mode
            contextChanged()
        default: writeAdvancedCSR(number, value)
        }
    }

    /// vsie: bits of hie that are delegated.
    mutating func enableGuestInterrupts(_ value: UInt64) {
        let mask = csr.hypervisor.hideleg & Interrupt.guest
        csr.mie = csr.mie & ~mask | value << 1 & mask
    }

    /// vsip: software sets and clears only SSIP.
    mutating func writeGuestPending(_ value: UInt64) {
        raiseGuestInterrupts(value << 1, mask: Interrupt.vssip & csr.hypervisor.hideleg)
    }

    mutating func writeGuestTimer(_ value: UInt64) {
        csr.hypervisor.vstimecmp = value
        localPending = localInterrupts()
    }

    mutating func raiseGuestInterrupts(_ value: UInt64, mask: UInt64) {
        csr.hypervisor.hvip = csr.hypervisor.hvip & ~mask | value & mask
        localPending = localInterrupts()
    }

    private mutating func writeGuestEnvironment(_ value: UInt64) {
        let old = guestEnvironment
        let writable = extensions.supervisorEnvironment | csr.menvcfg & Environment.inherited
        csr.hypervisor.henvcfg = environment(old, value, mask: writable)
        let changed = old ^ csr.hypervisor.henvcfg
        if changed & (Environment.adue | Environment.pbmte) != 0 { flushGuests() }
        if changed & Environment.stce != 0 { localPending = localInterrupts() }
    }
}
