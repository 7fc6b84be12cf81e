internal import Machine

// The hypervisor extension's instructions (Privileged Architecture, chapter "H": "Hypervisor instructions"; Svinval).

let hypervisorInstructions: [Instruction] = [
    Instruction("hlv.b", .guestLoad, 0x6000_4073, 0xFFF0_707F) { loadFromGuest($0, $1, Int8.self) },
    Instruction("hlv.bu", .guestLoad, 0x6010_4073, 0xFFF0_707F) { loadFromGuest($0, $1, UInt8.self) },
    Instruction("hlv.h", .guestLoad, 0x6400_4073, 0xFFF0_707F) { loadFromGuest($0, $1, Int16.self) },
    Instruction("hlv.hu", .guestLoad, 0x6410_4073, 0xFFF0_707F) { loadFromGuest($0, $1, UInt16.self) },
    Instruction("hlv.w", .guestLoad, 0x6800_4073, 0xFFF0_707F) { loadFromGuest($0, $1, Int32.self) },
    Instruction("hlv.wu", .guestLoad, 0x6810_4073, 0xFFF0_707F) { loadFromGuest($0, $1, UInt32.self) },
    Instruction("hlv.d", .guestLoad, 0x6C00_4073, 0xFFF0_707F) { loadFromGuest($0, $1, UInt64.self) },
    Instruction("hlvx.hu", .guestLoad, 0x6430_4073, 0xFFF0_707F) { loadCodeFromGuest($0, $1, size: 2) },
    Instruction("hlvx.wu", .guestLoad, 0x6830_4073, 0xFFF0_707F) { loadCodeFromGuest($0, $1, size: 4) },
    Instruction("hsv.b", .guestStore, 0x6200_4073, 0xFE00_7FFF) { storeToGuest($0, $1, UInt8.self) },
    Instruction("hsv.h", .guestStore, 0x6600_4073, 0xFE00_7FFF) { storeToGuest($0, $1, UInt16.self) },
    Instruction("hsv.w", .guestStore, 0x6A00_4073, 0xFE00_7FFF) { storeToGuest($0, $1, UInt32.self) },
    Instruction("hsv.d", .guestStore, 0x6E00_4073, 0xFE00_7FFF) { storeToGuest($0, $1, UInt64.self) },
    Instruction("hfence.vvma", .sfence, 0x2200_0073, 0xFE00_7FFF, endsBlock: true) { fenceGuest($0, $1) },
    Instruction("hinval.vvma", .sfence, 0x2600_0073, 0xFE00_7FFF, endsBlock: true, of: .svinval) {
        fenceGuest($0, $1)
    },
    Instruction("hfence.gvma", .sfence, 0x6200_0073, 0xFE00_7FFF, endsBlock: true) { fenceGuestPhysical($0, $1) },
    Instruction("hinval.gvma", .sfence, 0x6600_0073, 0xFE00_7FFF, endsBlock: true, of: .svinval) {
        fenceGuestPhysical($0, $1)
    },
]

extension HartState {
    /// Whether the present mode may execute HLV and HSV.
    fileprivate mutating func accessToGuestMemory() -> CSRAccess {
        if !hasHypervisor { return .illegal }
        if isVirtual { return .virtual }
        return privilege != .user || csr.hypervisor.hstatus & HypervisorStatus.hu != 0 ? .allowed : .illegal
    }

    /// Whether the present mode may execute HFENCE. TVM closes the fence of the G-stage to HS-mode.
    fileprivate mutating func accessToGuestFences(ofGuestStage: Bool) -> CSRAccess {
        if !hasHypervisor { return .illegal }
        if isVirtual { return .virtual }
        switch privilege {
        case .user: return .illegal
        case .supervisor: return ofGuestStage && csr.status & Status.tvm != 0 ? .illegal : .allowed
        case .machine: return .allowed
        }
    }

    /// Runs `body` with loads and stores that go to the guest's memory at the privilege of hstatus.SPVP.
    fileprivate mutating func withGuestMemory<Result>(_ body: (inout HartState) -> Result) -> Result {
        usesGuestMemory = true
        contextChanged()
        let result = body(&self)
        usesGuestMemory = false
        contextChanged()
        return result
    }

    /// HLVX: the guest's page tables must allow execution, and physical memory both that and reading.
    fileprivate mutating func loadCode(at address: UInt64, size: Int) throws(Trap) -> UInt64 {
        usesGuestMemory = true
        defer { usesGuestMemory = false }
        var context = dataContext
        context.executes = true
        var value: UInt64 = 0
        // In halfwords, so that none crosses a page when aligned, and bytes otherwise.
        let unit = address & 1 == 0 ? 2 : 1
        for offset in stride(from: 0, to: size, by: unit) {
            let place = address &+ UInt64(offset)
            let page = try translate(place, count: UInt64(unit), for: .load, in: context).page
            let physical = page | place & 0xFFF
            guard protection.verdict(physical, count: UInt64(unit), privilege: context.privilege).executable,
                let part = codeBytes(at: physical, count: unit)
            else { throw Trap(.loadAccessFault, value: place) }
            value |= part << UInt64(8 * offset)
        }
        return value
    }

    private mutating func codeBytes(at physical: UInt64, count: Int) -> UInt64? {
        guard let host = hostAddress(of: physical, count: UInt64(count)) else {
            return addressSpace.readDevice(at: physical, size: count)
        }
        return UInt64(count == 2 ? host.load(as: UInt16.self) : UInt16(host.load(as: UInt8.self)))
    }
}

/// Ends an instruction that the mode may not execute.
func refuse(
    _ hart: HartReference, _ operation: OperationReference, _ access: CSRAccess
) -> OperationReference? {
    guard access == .virtual else { return illegal(hart, operation) }
    let bits = operation.operation.pointee.raw
    hart.state.pointee.pendingTrap = Trap(.virtualInstruction, value: UInt64(bits))
    return trapped(hart, operation)
}

/// Takes `pendingTrap`, whose address is the guest's.
private func trappedOutside(_ hart: HartReference, _ operation: OperationReference) -> OperationReference? {
    hart.state.pointee.pendingTrap.isFromOutside = true
    return trapped(hart, operation)
}

private func loadFromGuest<Value: FixedWidthInteger & BitwiseCopyable>(
    _ hart: HartReference, _ operation: OperationReference, _ type: Value.Type
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    let access = state.pointee.accessToGuestMemory()
    guard access == .allowed else { return refuse(hart, operation, access) }
    let address = state.pointee.x[unchecked: Int(operands.pointee.rs1)]
    guard let value = state.pointee.withGuestMemory({ $0.load(type, at: address) }) else {
        return trappedOutside(hart, operation)
    }
    state.pointee.x[unchecked: Int(operands.pointee.rd)] = UInt64(truncatingIfNeeded: value)
    return operation.next
}

private func loadCodeFromGuest(
    _ hart: HartReference, _ operation: OperationReference, size: Int
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    let access = state.pointee.accessToGuestMemory()
    guard access == .allowed else { return refuse(hart, operation, access) }
    do throws(Trap) {
        let value = try state.pointee.loadCode(
            at: state.pointee.x[unchecked: Int(operands.pointee.rs1)], size: size)
        state.pointee.x[unchecked: Int(operands.pointee.rd)] = value
        return operation.next
    } catch {
        state.pointee.pendingTrap = error
        return trappedOutside(hart, operation)
    }
}

private func storeToGuest<Value: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ hart: HartReference, _ operation: OperationReference, _ type: Value.Type
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    let access = state.pointee.accessToGuestMemory()
    guard access == .allowed else { return refuse(hart, operation, access) }
    let address = state.pointee.x[unchecked: Int(operands.pointee.rs1)]
    let value = Value(truncatingIfNeeded: state.pointee.x[unchecked: Int(operands.pointee.rs2)])
    guard state.pointee.withGuestMemory({ $0.store(value, at: address) }) else {
        return trappedOutside(hart, operation)
    }
    return operation.next
}

/// HFENCE.VVMA and HINVAL.VVMA: SFENCE.VMA of the guest that hgatp names.
private func fenceGuest(_ hart: HartReference, _ operation: OperationReference) -> OperationReference? {
    let state = hart.state
    let access = state.pointee.accessToGuestFences(ofGuestStage: false)
    guard access == .allowed else { return refuse(hart, operation, access) }
    state.pointee.fenceGuestSpaces(operation.operation)
    return continueAfter(hart, operation)
}

/// HFENCE.GVMA and HINVAL.GVMA. The TLB does not know guest-physical addresses, so that a fence for one is for all.
private func fenceGuestPhysical(_ hart: HartReference, _ operation: OperationReference) -> OperationReference? {
    let state = hart.state
    let access = state.pointee.accessToGuestFences(ofGuestStage: true)
    guard access == .allowed else { return refuse(hart, operation, access) }
    let identifier = Int(operation.operation.pointee.rs2)
    state.pointee.flushGuests(
        identifier: identifier == 0
            ? nil : state.pointee.x[unchecked: identifier] & HypervisorRegisters.identifiers)
    return continueAfter(hart, operation)
}

extension HartState {
    /// Forgets translations of the guest that hgatp names, as the operands of a fence say. A fence for an address is one for all
    /// address spaces and guests.
    mutating func fenceGuestSpaces(_ operands: UnsafePointer<Operation>) {
        let guest = csr.hypervisor.guestIdentifier
        let address = Int(operands.pointee.rs1)
        let identifier = Int(operands.pointee.rs2)
        if address != 0 {
            flushTranslations(of: x[unchecked: address])
        } else if identifier != 0 {
            flushGuestSpaces(guest: guest, identifier: x[unchecked: identifier])
        } else {
            flushGuests(identifier: guest)
        }
    }
}
