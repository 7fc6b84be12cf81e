package import Machine
internal import Synchronization

/// The interrupt files of a hart (Advanced Interrupt Architecture, chapter 3).
package struct InterruptFiles: Sendable {
    let machine: any InterruptFile
    let supervisor: any InterruptFile
    /// As many as the hart has; guest 1 has the first.
    let guests: [any InterruptFile]

    package init(machine: any InterruptFile, supervisor: any InterruptFile, guests: [any InterruptFile]) {
        (self.machine, self.supervisor, self.guests) = (machine, supervisor, guests)
    }
}

extension Hart {
    /// The first number of `setInterrupt` that is the line of a guest interrupt file.
    package static let guestExternalInterrupts = 64

    /// Connects the hart with its interrupt files, or nil to break the cycle of references with them. While no thread runs the hart.
    package func connect(_ files: InterruptFiles?) {
        precondition(files == nil || files?.guests.count == state.pointee.guestFileCount)
        state.pointee.interruptFiles = files
    }

    func setGuestExternal(_ file: Int, _ level: Bool) {
        let bit: UInt64 = 1 << UInt64(file)
        if level {
            signals.pointee.guestExternal.bitwiseOr(bit, ordering: .acquiringAndReleasing)
            wake()
        } else {
            signals.pointee.guestExternal.bitwiseAnd(~bit, ordering: .acquiringAndReleasing)
            // The hart's own view has the line in it as it was (`localPending`).
            signals.pointee.attention.store(1, ordering: .sequentiallyConsistent)
        }
    }
}

extension CSR {
    /// Whether the CSR's contents can be in an interrupt file, which other threads change.
    @inline(__always)
    static func reachesInterruptFile(_ number: Int) -> Bool {
        switch number {
        case sireg, stopei, vsireg, vstopei, mireg, mtopei: true
        default: false
        }
    }
}

// The registers of the Advanced Interrupt Architecture, chapter 2. In a guest those of a supervisor are VS-mode's.

extension HartState {
    /// The bits of mie that are always set.
    var alwaysEnabled: UInt64 { hasAdvancedInterrupts ? Interrupt.virtual : 0 }

    /// Whether a CSR is one of the architecture, and the hart does not have it.
    mutating func lacksAdvancedCSR(_ number: Int) -> Bool {
        switch number {
        case CSR.miselect, CSR.mireg, CSR.mtopei, CSR.mtopi, CSR.mvien, CSR.mvip: !extensions.contains(.smaia)
        case CSR.siselect, CSR.sireg, CSR.stopei, CSR.stopi: !extensions.contains(.ssaia)
        case CSR.hvien, CSR.hvictl, CSR.hviprio1, CSR.hviprio2, CSR.vsiselect, CSR.vsireg, CSR.vstopei, CSR.vstopi:
            !extensions.contains(.ssaia) || !hasHypervisor
        default: false
        }
    }

    /// Nil also for the windows, which `accessInterruptFile` reads.
    @inline(never)
    mutating func readAdvancedCSR(_ number: Int) -> UInt64? {
        guard hasAdvancedInterrupts, !lacksAdvancedCSR(number) else { return nil }
        switch number {
        case CSR.miselect: return csr.advanced.miselect
        case CSR.siselect: return isVirtual ? csr.advanced.vsiselect : csr.advanced.siselect
        case CSR.vsiselect: return csr.advanced.vsiselect
        case CSR.mtopi: return topMachineInterrupt()
        case CSR.stopi: return isVirtual ? topGuestInterrupt() : topSupervisorInterrupt()
        case CSR.vstopi: return topGuestInterrupt()
        case CSR.mvien: return csr.advanced.mvien
        case CSR.mvip: return machineVirtualPending()
        case CSR.hvien, CSR.hviprio1, CSR.hviprio2: return 0
        case CSR.hvictl: return csr.advanced.hvictl
        default: return nil
        }
    }

    @inline(never)
    mutating func writeAdvancedCSR(_ number: Int, _ value: UInt64) {
        guard hasAdvancedInterrupts, !lacksAdvancedCSR(number) else { return }
        let selected = value & AdvancedRegisters.selectable
        switch number {
        case CSR.miselect: csr.advanced.miselect = selected
        case CSR.siselect where !isVirtual: csr.advanced.siselect = selected
        case CSR.siselect, CSR.vsiselect: csr.advanced.vsiselect = selected
        case CSR.mireg, CSR.mtopei, CSR.sireg, CSR.stopei, CSR.vsireg, CSR.vstopei:
            _ = accessInterruptFile(number, keeping: 0, setting: value, isWrite: true)
        case CSR.mvien: writeVirtualEnables(value)
        case CSR.mvip: writeMachineVirtualPending(value)
        case CSR.hvictl:
            csr.advanced.hvictl = value & VirtualInterruptControl.writable
            localPending = localInterrupts()
        default: break
        }
    }

    // MARK: The window

    /// Reads the register that a CSR leads to, and writes `old & kept | set` in the same step. Nil when there is no such register.
    @inline(never)
    mutating func accessInterruptFile(
        _ number: Int, keeping kept: UInt64, setting set: UInt64, isWrite: Bool
    ) -> UInt64? {
        guard CSR.reachesInterruptFile(number), !lacksAdvancedCSR(number), let files = interruptFiles else {
            return nil
        }
        let selected: UInt64
        let file: (any InterruptFile)?
        switch number {
        case CSR.mireg, CSR.mtopei: (selected, file) = (csr.advanced.miselect, files.machine)
        case CSR.sireg where !isVirtual, CSR.stopei where !isVirtual:
            (selected, file) = (csr.advanced.siselect, files.supervisor)
        default:
            let guest = selectedGuestFile
            (selected, file) = (csr.advanced.vsiselect, guest > 0 ? files.guests[guest - 1] : nil)
            // There are no priorities here, not even those that are zero.
            if 0x30...0x3F ~= selected { return nil }
        }
        if number == CSR.mtopei || number == CSR.stopei || number == CSR.vstopei { return file?.top(claims: isWrite) }
        switch selected {
        // The registers are those of 64-bit harts: of the arrays, only even ones exist.
        case 0x30...0x3F: return selected & 1 == 0 ? 0 : nil
        case 0x70...0x7F: return file?.access(register: Int(selected), keeping: kept, setting: set)
        case 0x80...0xFF:
            return selected & 1 == 0 ? file?.access(register: Int(selected), keeping: kept, setting: set) : nil
        default: return nil
        }
    }

    /// hstatus.VGEIN as the number of an interrupt file; 0 for none.
    var selectedGuestFile: Int {
        mutating get {
            let number = Int(csr.hypervisor.hstatus >> HypervisorStatus.vgeinShift & 63)
            return number <= guestFileCount ? number : 0
        }
    }

    mutating func writeHypervisorStatus(_ value: UInt64) {
        let number = value >> HypervisorStatus.vgeinShift & 63
        let file = number <= UInt64(guestFileCount) ? value : csr.hypervisor.hstatus
        csr.hypervisor.hstatus = value & HypervisorStatus.writable | file & HypervisorStatus.vgein
        if guestFileCount > 0 { localPending = localInterrupts() }
    }

    mutating func enableGuestFiles(_ value: UInt64) {
        csr.advanced.hgeie = value & (1 << UInt64(guestFileCount) - 1) << 1
        if guestFileCount > 0 { localPending = localInterrupts() }
    }

    // MARK: Interrupts that M-mode makes pending for the supervisor (section 5.3)

    private mutating func machineVirtualPending() -> UInt64 {
        let software = signals.pointee.software.load(ordering: .acquiring)
        let timer = csr.menvcfg & Environment.stce == 0 ? Interrupt.stip : 0
        return software & (AdvancedRegisters.virtualInterrupts & ~csr.advanced.mvien | timer) | csr.advanced.mvip
    }

    private mutating func writeMachineVirtualPending(_ value: UInt64) {
        let timer = csr.menvcfg & Environment.stce == 0 ? Interrupt.stip : 0
        writeSoftwareInterrupts(value, mask: AdvancedRegisters.virtualInterrupts & ~csr.advanced.mvien | timer)
        csr.advanced.mvip = value & csr.advanced.mvien
        localPending = localInterrupts()
    }

    private mutating func writeVirtualEnables(_ value: UInt64) {
        let new = value & AdvancedRegisters.virtualInterrupts
        let (set, cleared) = (new & ~csr.advanced.mvien, csr.advanced.mvien & ~new)
        csr.advanced.mvien = new
        // SEIP of software is in mvip whatever mvien says; of SSIP there are two then.
        if set & Interrupt.seip != 0 {
            csr.advanced.mvip |= signals.pointee.software.load(ordering: .relaxed) & Interrupt.seip
            writeSoftwareInterrupts(0, mask: Interrupt.seip)
        }
        if cleared & Interrupt.seip != 0 { writeSoftwareInterrupts(csr.advanced.mvip, mask: Interrupt.seip) }
        csr.advanced.mvip &= new
        virtualInterruptsChanged()
    }

    /// sie of interrupts that mideleg does not delegate.
    @inline(never)
    mutating func enableVirtualInterrupts(_ value: UInt64) {
        csr.advanced.sie = value & csr.advanced.mvien & ~csr.mideleg
        localPending = localInterrupts()
    }

    /// sip of the same. Software sets and clears only SSIP.
    @inline(never)
    mutating func writeVirtualPending(_ value: UInt64) {
        let mask = Interrupt.ssip & csr.advanced.mvien & ~csr.mideleg
        csr.advanced.mvip = csr.advanced.mvip & ~mask | value & mask
        localPending = localInterrupts()
    }

    mutating func virtualInterruptsChanged() {
        enableVirtualInterrupts(csr.advanced.sie)
    }
}
