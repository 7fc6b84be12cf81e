internal import Translator

// Control and status registers: those that kernels use all the time are slots, the others are the interpreter's business.
extension BlockLifter {
    /// - Parameter operand: rs1's value, or the instruction's field.
    mutating func lift(_ kind: CSROperation, _ operand: Operand, _ operation: Operation, _ pc: UInt64) {
        let writes = kind == .write || operation.rs1 != 0
        switch Int(operation.immediate) {
        case CSR.sscratch where kind == .write || !writes: exchange(\.sscratch, writes ? operand : nil, operation, pc)
        case CSR.sepc where kind == .write || !writes: exchange(\.sepc, writes ? operand : nil, mask: ~1, operation, pc)
        case CSR.scause where kind == .write || !writes: exchange(\.scause, writes ? operand : nil, operation, pc)
        case CSR.stval where kind == .write || !writes: exchange(\.stval, writes ? operand : nil, operation, pc)
        case CSR.stvec where !writes: exchange(\.stvec, nil, operation, pc)
        case CSR.sstatus where !writes || kind != .write && operand == .constant(Status.sie):
            liftStatus(writes ? kind : nil, operation, pc)
        default:
            add(.helper(HelperRecord(operation)), pc)
            // It may have been fcsr or the unit's state.
            if writes { isFloatReady = false }
        }
    }

    /// rd = CSR = value; without a value only rd = CSR.
    private mutating func exchange(
        _ path: KeyPath<ControlRegisters, UInt64>, _ value: Operand?, mask: UInt64 = .max, _ operation: Operation,
        _ pc: UInt64
    ) {
        require(.privileged, pc)
        let register = Slot(path)
        var value = value
        if let destination = operation.destination {
            if value == .slot(destination) {
                let old = Slot(HartState.sink)
                add(.unary(.copy, .bits64, old, .slot(destination)), pc)
                value = .slot(old)
            }
            add(.unary(.copy, .bits64, destination, .slot(register)), pc)
        }
        if let value { add(.binary(.and, .bits64, register, value, .constant(mask)), pc) }
    }

    /// rd = sstatus, and SIE set or cleared.
    private mutating func liftStatus(_ change: CSROperation?, _ operation: Operation, _ pc: UInt64) {
        require(.privileged, pc)
        // The interpreter takes an interrupt that this lets in.
        if change == .set { require(.noInterrupt, pc) }
        let status = Slot(\.status)
        if let destination = operation.destination {
            add(.binary(.and, .bits64, destination, .slot(status), .constant(Status.supervisorVisible)), pc)
        }
        if change == .set { add(.binary(.or, .bits64, status, .slot(status), .constant(Status.sie)), pc) }
        if change == .clear { add(.binary(.and, .bits64, status, .slot(status), .constant(~Status.sie)), pc) }
    }

    private mutating func require(_ requirement: HartRequirement, _ pc: UInt64) {
        // The mode stays the same in a block.
        if requirement == .privileged {
            if isPrivileged { return }
            isPrivileged = true
        }
        add(.require(requirement.rawValue), pc)
    }
}

/// What generated code asks of a hart before it goes on. Raw values are indices of `StateLayout.requirements`.
enum HartRequirement: Int, CaseIterable {
    /// S-mode or M-mode.
    case privileged
    /// No interrupt that mie enables is pending.
    case noInterrupt
}

extension Slot {
    /// A control and status register with state of its own.
    init(_ path: KeyPath<ControlRegisters, UInt64>) {
        guard let offset = MemoryLayout<ControlRegisters>.offset(of: path) else {
            preconditionFailure("registers are stored properties")
        }
        self.init(UInt8((HartState.controlOffset + offset) / 8))
    }
}
