/// How an access to a CSR ends.
enum CSRAccess {
    case allowed
    case illegal
    /// A virtual-instruction exception: the hypervisor may do for its guest what the guest attempted.
    case virtual
}

extension HartState {
    /// Whether the present mode may access an existing CSR.
    mutating func access(to number: Int, write: Bool) -> CSRAccess {
        guard !write || number >> 10 & 3 != 3, !extensions.lacksCSR(number) else { return .illegal }
        if CSR.fflags...CSR.fcsr ~= number { return isFloatingPointOn ? .allowed : .illegal }
        if isVirtual { return guestAccess(to: number, write: write) }
        // Registers of hypervisors and of VS-mode belong to HS-mode.
        let level = number >> 8 & 3
        guard Int(privilege.rawValue) >= (level == 2 ? 1 : level) else { return .illegal }
        if privilege == .machine { return .allowed }
        guard isOpenBelowMachine(number) else { return .illegal }
        switch number {
        case CSR.cycle...CSR.hpmcounters.upperBound where privilege == .user:
            return csr.scounteren >> UInt64(number - CSR.cycle) & 1 == 1 ? .allowed : .illegal
        case CSR.satp, CSR.hgatp: return csr.status & Status.tvm == 0 ? .allowed : .illegal
        default: return .allowed
        }
    }

    /// Whether M-mode has opened a register to the modes below it. TVM is not considered.
    private mutating func isOpenBelowMachine(_ number: Int) -> Bool {
        switch number {
        case CSR.cycle...CSR.hpmcounters.upperBound: csr.mcounteren >> UInt64(number - CSR.cycle) & 1 == 1
        case CSR.stimecmp, CSR.vstimecmp: csr.menvcfg & Environment.stce != 0 && csr.mcounteren >> 1 & 1 == 1
        // Without the hypervisor extension the hart has no state enables.
        case CSR.senvcfg where hasHypervisor, CSR.henvcfg: csr.hypervisor.mstateen[0] & StateEnable.environment != 0
        case CSR.sstateen, CSR.hstateen: csr.hypervisor.mstateen[number & 3] & StateEnable.stateEnables != 0
        default: !hasAdvancedInterrupts || isAdvancedOpen(number)
        }
    }

    /// In VS- and VU-mode: what HS-mode may access and the guest may not is a virtual instruction.
    private mutating func guestAccess(to number: Int, write: Bool) -> CSRAccess {
        let level = number >> 8 & 3
        guard level < 3, CSR.name(of: number) != nil, !lacksAdvancedCSR(number), isOpenBelowMachine(number) else {
            return .illegal
        }
        if level == 2 { return .virtual }
        if level == 1, privilege == .user { return .virtual }
        let hypervisor = csr.hypervisor
        let isOpen =
            switch number {
            case CSR.cycle...CSR.hpmcounters.upperBound:
                hypervisor.hcounteren >> UInt64(number - CSR.cycle) & 1 == 1
                    && (privilege != .user || csr.scounteren >> UInt64(number - CSR.cycle) & 1 == 1)
            case CSR.satp: hypervisor.hstatus & HypervisorStatus.vtvm == 0
            case CSR.stimecmp:
                guestEnvironment & Environment.stce != 0 && hypervisor.hcounteren >> 1 & 1 == 1
                    && !(write && csr.advanced.controlsGuest)
            case CSR.sip, CSR.sie: !csr.advanced.controlsGuest
            case CSR.senvcfg:
                hypervisor.hstateen[0] & hypervisor.mstateen[0] & StateEnable.environment != 0
            case CSR.sstateen:
                hypervisor.hstateen[number & 3] & hypervisor.mstateen[number & 3] & StateEnable.stateEnables != 0
            default: !hasAdvancedInterrupts || isAdvancedOpenToGuest(number)
            }
        return isOpen ? .allowed : .virtual
    }

    /// henvcfg as it is read.
    var guestEnvironment: UInt64 {
        mutating get { csr.hypervisor.henvcfg & (csr.menvcfg | ~Environment.inherited) }
    }
}
