internal import Synchronization

// What the owner of a hart sees of it while no thread runs it, and firmware services while they serve it.
extension Hart {
    package var pc: UInt64 {
        get { state.pointee.pc }
        set { state.pointee.pc = newValue }
    }

    package var privilege: PrivilegeMode {
        get { state.pointee.privilege }
        set {
            state.pointee.privilege = newValue
            state.pointee.contextChanged()
        }
    }

    /// Integer register `number`, 0 to 31; writing x0 does nothing.
    package subscript(integer number: Int) -> UInt64 {
        get { state.pointee.x[number] }
        set { if number != 0 { state.pointee.x[number] = newValue } }
    }

    /// Floating-point register `number`, 0 to 31, as its 64 bits.
    package subscript(float number: Int) -> UInt64 {
        get { state.pointee.f[number] }
        set { state.pointee.f[number] = newValue }
    }

    /// Instructions retired since the hart was made.
    package var retired: UInt64 { state.pointee.retired }

    /// Whether a guest of the hart's hypervisor executes: VS-mode or VU-mode.
    package var isVirtual: Bool { state.pointee.isVirtual }

    /// Reads a CSR as M-mode would; nil when the hart has none of that number.
    package func readCSR(_ number: Int) -> UInt64? {
        outsideOfGuest { hart in
            hart.state.pointee.readCSR(number)
                ?? hart.state.pointee.accessInterruptFile(number, keeping: .max, setting: 0, isWrite: false)
        }
    }

    /// Writes a CSR as M-mode would, by its WARL rules. Numbers that the hart does not have are ignored.
    package func writeCSR(_ number: Int, _ value: UInt64) {
        outsideOfGuest { hart in hart.state.pointee.writeCSR(number, value) }
    }

    /// Runs `body` while the supervisor's registers are HS-mode's.
    private func outsideOfGuest<Result>(_ body: (Hart) -> Result) -> Result {
        guard isVirtual else { return body(self) }
        state.pointee.setVirtual(false)
        defer {
            state.pointee.setVirtual(true)
            state.pointee.contextChanged()
        }
        return body(self)
    }

    /// Prepares the hart as firmware leaves it to a supervisor: S-mode, all that can be delegated delegated, memory and
    /// counters open (SBI 2.0, chapter 3; Linux' Documentation/arch/riscv/boot.rst).
    package func enterSupervisor(at address: UInt64, arguments: (UInt64, UInt64)) {
        state.pointee.enterSupervisor(at: address, arguments: arguments)
    }
}

extension HartState {
    /// The state of power-on (Privileged Architecture 3.4). The counters go on counting from 0.
    mutating func resetRegisters() {
        x = InlineArray(repeating: 0)
        f = InlineArray(repeating: 0)
        isVirtual = false
        csr = ControlRegisters()
        csr.mideleg = guestDelegation
        csr.mie = alwaysEnabled
        // Software for QEMU's `virt` board relies on A and D bits that hardware sets from reset on, and on memory types.
        csr.menvcfg = (Environment.adue | Environment.pbmte) & extensions.machineEnvironment
        csr.cycleOffset = 0 &- retired
        csr.instretOffset = 0 &- retired
        protection = MemoryProtection()
        privilege = .machine
        reservation.clear()
        localPending = 0
        flushTranslations()
        synchronizeInstructions()
    }

    mutating func enterSupervisor(at address: UInt64, arguments: (UInt64, UInt64)) {
        protection.openEverything()
        setVirtual(false)
        csr.hypervisor = HypervisorRegisters()
        csr.inactive = SupervisorBank()
        csr.medeleg = 0xB1FF
        csr.mideleg = Interrupt.supervisor | guestDelegation
        csr.mie = alwaysEnabled
        csr.advanced = AdvancedRegisters()
        if hasHypervisor {
            csr.medeleg |= HypervisorRegisters.causes
            for number in 0..<4 {
                csr.hypervisor.mstateen[number] = StateEnable.writable(number, on: extensions)
            }
        }
        csr.mcounteren = extensions.counters
        // Programs read the clock themselves; Linux without a PMU driver of its own relies on firmware to open it.
        csr.scounteren = 7 & extensions.counters
        // CBIE: cbo.inval flushes.
        csr.menvcfg = extensions.machineEnvironment & (~Environment.cbie | 1 << 4)
        csr.setStatus(0)
        csr.satp = 0
        csr.stvec = 0
        csr.stimecmp = .max
        privilege = .supervisor
        reservation.clear()
        x[10] = arguments.0
        x[11] = arguments.1
        pc = address
        flushTranslations()
    }

    /// The end of a non-retentive suspension: the registers of SBI 2.0, table 4, are set, and all others, among them the
    /// timer and the enabled interrupts, stay as they are.
    mutating func resumeSupervisor(at address: UInt64, arguments: (UInt64, UInt64)) {
        setVirtual(false)
        csr.setStatus(csr.status & ~Status.sie)
        csr.satp = 0
        privilege = .supervisor
        reservation.clear()
        x[10] = arguments.0
        x[11] = arguments.1
        pc = address
        flushTranslations()
    }
}
