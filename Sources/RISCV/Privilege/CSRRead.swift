internal import Machine
internal import Synchronization

/// RV64 with A, C, D, F, I, M, S and U; read-only. A hart with the hypervisor extension has H as well.
private let misaValue: UInt64 = 2 << 62 | "ACDFIMSU".unicodeScalars.reduce(0) { $0 | 1 << UInt64($1.value - 65) }
private let misaHypervisor: UInt64 = 1 << 7

extension HartState {
    /// The value that software reads from a CSR; nil when there is no such CSR. Privilege is checked by `access`.
    mutating func readCSR(_ number: Int) -> UInt64? {
        if extensions.lacksCSR(number) { return nil }
        return switch number {
        case CSR.fflags: UInt64(csr.fflags)
        case CSR.frm: UInt64(csr.frm)
        case CSR.fcsr: UInt64(csr.frm) << 5 | UInt64(csr.fflags)
        case CSR.cycle, CSR.mcycle: counter(csr.cycleOffset, inhibit: 0)
        case CSR.time: isVirtual ? timeBase.now &+ csr.hypervisor.htimedelta : timeBase.now
        case CSR.instret, CSR.minstret: counter(csr.instretOffset, inhibit: 2)
        case CSR.hpmcounters, CSR.mhpmcounters, CSR.mhpmevents: 0
        default:
            readSupervisorCSR(number) ?? readMachineCSR(number) ?? (hasHypervisor ? readHypervisorCSR(number) : nil)
                ?? readAdvancedCSR(number)
        }
    }

    private mutating func readSupervisorCSR(_ number: Int) -> UInt64? {
        switch number {
        case CSR.sstatus: csr.status & Status.supervisorVisible
        case CSR.sie:
            isVirtual
                ? guestInterruptView(csr.mie) : csr.mie & csr.mideleg & Interrupt.supervisor | csr.advanced.sie
        case CSR.sip:
            isVirtual
                ? guestInterruptView(pendingInterrupts())
                : pendingInterrupts() & csr.mideleg & Interrupt.supervisor | virtualPending
        case CSR.stvec: csr.stvec
        case CSR.scounteren: csr.scounteren
        case CSR.senvcfg: csr.senvcfg
        case CSR.sscratch: csr.sscratch
        case CSR.sepc: csr.sepc
        case CSR.scause: csr.scause
        case CSR.stval: csr.stval
        case CSR.stimecmp: isVirtual ? csr.hypervisor.vstimecmp : csr.stimecmp
        case CSR.satp: csr.satp
        default: nil
        }
    }

    private mutating func readMachineCSR(_ number: Int) -> UInt64? {
        switch number {
        case CSR.mstatus: csr.status
        case CSR.misa: hasHypervisor ? misaValue | misaHypervisor : misaValue
        case CSR.medeleg: csr.medeleg
        case CSR.mideleg: csr.mideleg
        case CSR.mie: csr.mie & ~Interrupt.virtual
        case CSR.mip: pendingInterrupts() & ~Interrupt.virtual
        case CSR.mtvec: csr.mtvec
        case CSR.mcounteren: csr.mcounteren
        case CSR.menvcfg: csr.menvcfg
        case CSR.mcountinhibit: csr.mcountinhibit
        case CSR.mscratch: csr.mscratch
        case CSR.mepc: csr.mepc
        case CSR.mcause: csr.mcause
        case CSR.mtval: csr.mtval
        case CSR.pmpcfg0, CSR.pmpcfg2: protectionConfiguration(from: number == CSR.pmpcfg0 ? 0 : 8)
        case CSR.pmpaddr: protection.addresses[number - CSR.pmpaddr.lowerBound]
        // Not a commercial implementation, and no further description: all zero is allowed (3.1.2 to 3.1.4, 3.1.17).
        case CSR.mvendorid, CSR.marchid, CSR.mimpid, CSR.mconfigptr: 0
        case CSR.mhartid: UInt64(index)
        default: nil
        }
    }

    private mutating func counter(_ offset: UInt64, inhibit: UInt64) -> UInt64 {
        csr.mcountinhibit >> inhibit & 1 == 1 ? offset : retired &+ offset
    }

    /// Eight pmpcfg bytes as one register.
    private mutating func protectionConfiguration(from first: Int) -> UInt64 {
        (0..<8).reduce(0) { $0 | UInt64(protection.configurations[first + $1]) << UInt64(8 * $1) }
    }
}
