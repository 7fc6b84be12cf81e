internal import HostSystem
internal import Synchronization
internal import TranslationRuntime
internal import Translator

// Zicsr, Zifencei, Zihintpause, Zawrs and the privileged instructions.

let systemInstructions: [Instruction] = [
    // pause is a fence with no predecessors; it gives way, since the hart it waits for may need this processor.
    Instruction("pause", .none, 0x0100_000F, 0xFFFF_FFFF, of: .zihintpause) { hart, operation in
        hart.state.pointee.yieldToOtherThreads()
        return operation.next
    },
    Instruction("fence", .fence, 0x0F, 0x707F, lift: .fence) { _, operation in
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        return operation.next
    },
    Instruction("fence.i", .none, 0x100F, 0x707F, endsBlock: true) { hart, operation in
        if hart.state.pointee.codeWatch?.hasChanged() ?? true { hart.state.pointee.synchronizeInstructions() }
        return continueAfter(hart, operation)
    },
    Instruction("ecall", .none, 0x73, 0xFFFF_FFFF, endsBlock: true) { environmentCall($0, $1) },
    ebreak,
    Instruction("sret", .none, 0x1020_0073, 0xFFFF_FFFF, endsBlock: true) { hart, operation in
        let state = hart.state
        let access = state.pointee.supervisorAccess(
            unless: Status.tsr, inGuestUnless: HypervisorStatus.vtsr)
        guard access == .allowed else { return refuse(hart, operation, access) }
        state.pointee.retired &+= UInt64(operation.operation.pointee.index) &+ 1
        state.pointee.returnFromSupervisorTrap()
        return enterChecked(hart, at: state.pointee.pc)
    },
    Instruction("mret", .none, 0x3020_0073, 0xFFFF_FFFF, endsBlock: true) { hart, operation in
        let state = hart.state
        guard state.pointee.privilege == .machine else { return illegal(hart, operation) }
        state.pointee.retired &+= UInt64(operation.operation.pointee.index) &+ 1
        state.pointee.returnFromMachineTrap()
        return enterChecked(hart, at: state.pointee.pc)
    },
    Instruction("wfi", .none, 0x1050_0073, 0xFFFF_FFFF, endsBlock: true) { hart, operation in
        let state = hart.state
        let access = state.pointee.accessToWaiting()
        guard access == .allowed else { return refuse(hart, operation, access) }
        let operands = operation.operation
        state.pointee.retired &+= UInt64(operands.pointee.index) &+ 1
        state.pointee.pc = state.pointee.blockAddress &+ UInt64(operands.pointee.offset) &+ 4
        state.pointee.leaving = .waitForInterrupt
        return nil
    },
    // A stall may end for any reason (Zawrs): it ends at once, after other threads had their chance.
    Instruction("wrs.nto", .none, 0x00D0_0073, 0xFFFF_FFFF, of: .zawrs) { waitOnReservation($0, $1) },
    Instruction("wrs.sto", .none, 0x01D0_0073, 0xFFFF_FFFF, of: .zawrs) { waitOnReservation($0, $1) },
    Instruction("sfence.vma", .sfence, 0x1200_0073, 0xFE00_7FFF, endsBlock: true) { fenceTranslations($0, $1) },
    Instruction("sinval.vma", .sfence, 0x1600_0073, 0xFE00_7FFF, endsBlock: true, of: .svinval) {
        fenceTranslations($0, $1)
    },
    // Svinval's fences order what sinval.vma has already done in full.
    Instruction("sfence.w.inval", .none, 0x1800_0073, 0xFFFF_FFFF, of: .svinval) { invalidationFence($0, $1) },
    Instruction("sfence.inval.ir", .none, 0x1810_0073, 0xFFFF_FFFF, of: .svinval) { invalidationFence($0, $1) },
    Instruction("csrrw", .csr, 0x1073, 0x707F, lift: .csr(.write)) { accessCSR($0, $1, .write) },
    Instruction("csrrs", .csr, 0x2073, 0x707F, lift: .csr(.set)) { accessCSR($0, $1, .set) },
    Instruction("csrrc", .csr, 0x3073, 0x707F, lift: .csr(.clear)) { accessCSR($0, $1, .clear) },
    Instruction("csrrwi", .csrImmediate, 0x5073, 0x707F, lift: .csrImmediate(.write)) {
        accessCSR($0, $1, .write, fromField: true)
    },
    Instruction("csrrsi", .csrImmediate, 0x6073, 0x707F, lift: .csrImmediate(.set)) {
        accessCSR($0, $1, .set, fromField: true)
    },
    Instruction("csrrci", .csrImmediate, 0x7073, 0x707F, lift: .csrImmediate(.clear)) {
        accessCSR($0, $1, .clear, fromField: true)
    },
]

let ebreak = Instruction("ebreak", .none, 0x0010_0073, 0xFFFF_FFFF, endsBlock: true) { hart, operation in
    let state = hart.state
    let address = state.pointee.blockAddress &+ UInt64(operation.operation.pointee.offset)
    state.pointee.pendingTrap = Trap(.breakpoint, value: address)
    return trapped(hart, operation)
}

private func environmentCall(_ hart: HartReference, _ operation: OperationReference) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    if state.pointee.privilege == .supervisor, !state.pointee.isVirtual, state.pointee.answersSupervisorCalls {
        state.pointee.pc = state.pointee.blockAddress &+ UInt64(operands.pointee.offset)
        state.pointee.retired &+= UInt64(operands.pointee.index)
        state.pointee.leaving = .environmentCall
        return nil
    }
    let cause: ExceptionCause =
        switch state.pointee.privilege {
        case .user: .callFromUser
        case .supervisor: state.pointee.isVirtual ? .callFromGuestSupervisor : .callFromSupervisor
        case .machine: .callFromMachine
        }
    state.pointee.pendingTrap = Trap(cause, value: 0)
    return trapped(hart, operation)
}

extension HartState {
    /// Yields the host's processor, and makes the look at the clock due at the next block. Other threads may have had the processor for
    /// milliseconds: a loop of yields would take seconds to retire the instructions between two looks.
    fileprivate mutating func yieldToOtherThreads() {
        yieldProcessor()
        pollAt = retired
    }
}

private func waitOnReservation(_ hart: HartReference, _ operation: OperationReference) -> OperationReference? {
    if hart.state.pointee.reservation.isValid { hart.state.pointee.yieldToOtherThreads() }
    return operation.next
}

/// SFENCE.VMA and SINVAL.VMA (Privileged Architecture 10.2.1). A fence for an address is one for all address spaces.
private func fenceTranslations(_ hart: HartReference, _ operation: OperationReference) -> OperationReference? {
    let state = hart.state
    let access = state.pointee.supervisorAccess(unless: Status.tvm, inGuestUnless: HypervisorStatus.vtvm)
    guard access == .allowed else { return refuse(hart, operation, access) }
    if state.pointee.isVirtual {
        state.pointee.fenceGuestSpaces(operation.operation)
        return continueAfter(hart, operation)
    }
    let address = Int(operation.operation.pointee.rs1)
    let identifier = Int(operation.operation.pointee.rs2)
    if address != 0 {
        state.pointee.flushTranslations(of: state.pointee.x[unchecked: address])
    } else if identifier != 0 {
        state.pointee.flushTranslations(identifier: state.pointee.x[unchecked: identifier])
    } else {
        state.pointee.flushSupervisorTranslations()
    }
    return continueAfter(hart, operation)
}

private func invalidationFence(_ hart: HartReference, _ operation: OperationReference) -> OperationReference? {
    let access = hart.state.pointee.supervisorAccess(unless: 0, inGuestUnless: 0)
    return access == .allowed ? operation.next : refuse(hart, operation, access)
}

/// What an instruction of Zicsr does with a register.
enum CSROperation: Sendable {
    case write, set, clear
}

/// The six Zicsr instructions (Unprivileged Architecture 6.1): CSRRW does not read for x0, the others do not write for
/// a source field of 0.
@inline(never)
private func accessCSR(
    _ hart: HartReference, _ operation: OperationReference, _ kind: CSROperation, fromField: Bool = false
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    let number = Int(operands.pointee.immediate)
    let field = operands.pointee.rs1
    let operand = fromField ? UInt64(field) : state.pointee.x[unchecked: Int(field)]
    let writes = kind == .write || field != 0
    let access = state.pointee.access(to: number, write: writes)
    guard access == .allowed else { return refuse(hart, operation, access) }
    // The counters do not count this instruction yet when it reads them, and do when it writes them.
    let position = UInt64(operands.pointee.index)
    state.pointee.retired &+= position
    let value = state.pointee.readCSR(number)
    state.pointee.retired &-= position
    guard let value else { return accessInterruptFile(hart, operation, kind, writes ? operand : nil) }
    if writes {
        // The wire of an interrupt controller is seen in mip.SEIP but not written back (3.1.9).
        let own =
            number == CSR.mip
            ? value & ~Interrupt.seip | state.pointee.signals.pointee.software.load(ordering: .relaxed) & Interrupt.seip
            : value
        state.pointee.retired &+= position &+ 1
        switch kind {
        case .write: state.pointee.writeCSR(number, operand)
        case .set: state.pointee.writeCSR(number, own | operand)
        case .clear: state.pointee.writeCSR(number, own & ~operand)
        }
        state.pointee.retired &-= position &+ 1
    }
    state.pointee.x[unchecked: Int(operands.pointee.rd)] = value
    guard writes else { return operation.next }
    // Generated code looks at the unit's state and mode again.
    state.pointee.translation.floatReady = 0
    // What is fetched next may have changed, or an interrupt may have been let in.
    if CSR.changesFetch(number) || state.pointee.interruptReady() { return continueAfter(hart, operation) }
    return operation.next
}

/// A CSR behind which another thread may set bits at any time, so that it is read and written in one step; illegal for other CSRs.
@inline(never)
private func accessInterruptFile(
    _ hart: HartReference, _ operation: OperationReference, _ kind: CSROperation, _ operand: UInt64?
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    let (kept, set): (UInt64, UInt64) =
        switch (kind, operand) {
        case (_, nil): (.max, 0)
        case (.write, let value?): (0, value)
        case (.set, let value?): (.max, value)
        case (.clear, let value?): (~value, 0)
        }
    let value = state.pointee.accessInterruptFile(
        Int(operands.pointee.immediate), keeping: kept, setting: set, isWrite: operand != nil)
    guard let value else { return illegal(hart, operation) }
    state.pointee.x[unchecked: Int(operands.pointee.rd)] = value
    return state.pointee.interruptReady() ? continueAfter(hart, operation) : operation.next
}

extension HartState {
    /// Whether a supervisor's instruction may be executed, which these bits of mstatus and hstatus close to supervisors.
    fileprivate mutating func supervisorAccess(unless closed: UInt64, inGuestUnless closedInGuest: UInt64) -> CSRAccess
    {
        switch privilege {
        case .machine: .allowed
        case .supervisor where isVirtual: csr.hypervisor.hstatus & closedInGuest == 0 ? .allowed : .virtual
        case .supervisor: csr.status & closed == 0 ? .allowed : .illegal
        case .user: isVirtual ? .virtual : .illegal
        }
    }

    /// Whether WFI may be executed.
    fileprivate mutating func accessToWaiting() -> CSRAccess {
        if privilege == .machine { return .allowed }
        if csr.status & Status.tw != 0 { return .illegal }
        if isVirtual {
            let isOpen = privilege == .supervisor && csr.hypervisor.hstatus & HypervisorStatus.vtw == 0
            return isOpen ? .allowed : .virtual
        }
        return privilege == .user ? .illegal : .allowed
    }

    /// FENCE.I: what was stored before is what is fetched from now on.
    mutating func synchronizeInstructions() {
        blocks.startGeneration()
        translation.startGeneration()
        flushInstructions()
    }
}
