// The shapes that the instruction table's rows are made of. All of them inline into the row's handler.

/// rd = body(rs1, rs2)
@inline(__always)
func registers(
    _ hart: HartReference, _ operation: OperationReference, _ body: (UInt64, UInt64) -> UInt64
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    state.pointee.x[unchecked: Int(operands.pointee.rd)] = body(
        state.pointee.x[unchecked: Int(operands.pointee.rs1)], state.pointee.x[unchecked: Int(operands.pointee.rs2)])
    return operation.next
}

/// rd = body(rs1, immediate)
@inline(__always)
func immediate(
    _ hart: HartReference, _ operation: OperationReference, _ body: (UInt64, UInt64) -> UInt64
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    state.pointee.x[unchecked: Int(operands.pointee.rd)] = body(
        state.pointee.x[unchecked: Int(operands.pointee.rs1)], operands.pointee.signed)
    return operation.next
}

/// rd = sign-extended low 32 bits of body(rs1, rs2), as the W instructions do.
@inline(__always)
func words(
    _ hart: HartReference, _ operation: OperationReference, _ body: (UInt32, UInt32) -> UInt32
) -> OperationReference? {
    registers(hart, operation) { body(UInt32(truncatingIfNeeded: $0), UInt32(truncatingIfNeeded: $1)).signExtended }
}

/// rd = sign-extended body(low half of rs1, immediate)
@inline(__always)
func wordImmediate(
    _ hart: HartReference, _ operation: OperationReference, _ body: (UInt32, UInt32) -> UInt32
) -> OperationReference? {
    immediate(hart, operation) { body(UInt32(truncatingIfNeeded: $0), UInt32(truncatingIfNeeded: $1)).signExtended }
}

/// Goes to pc + immediate when `condition(rs1, rs2)` holds, else on in the block.
@inline(__always)
func branch(
    _ hart: HartReference, _ operation: OperationReference, _ condition: (UInt64, UInt64) -> Bool
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    let taken = condition(
        state.pointee.x[unchecked: Int(operands.pointee.rs1)], state.pointee.x[unchecked: Int(operands.pointee.rs2)])
    guard taken else { return operation.next }
    return leave(
        hart, operation, to: state.pointee.blockAddress &+ UInt64(operands.pointee.offset) &+ operands.pointee.signed)
}

/// rd = the `Value` at rs1 + immediate, sign- or zero-extended as its type says.
@inline(__always)
func load<Value: FixedWidthInteger & BitwiseCopyable>(
    _ hart: HartReference, _ operation: OperationReference, _ type: Value.Type
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    let address = state.pointee.x[unchecked: Int(operands.pointee.rs1)] &+ operands.pointee.signed
    guard let value = state.pointee.load(type, at: address) else { return trapped(hart, operation) }
    state.pointee.x[unchecked: Int(operands.pointee.rd)] = UInt64(truncatingIfNeeded: value)
    return operation.next
}

/// Stores the low bytes of rs2 at rs1 + immediate.
@inline(__always)
func store<Value: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(
    _ hart: HartReference, _ operation: OperationReference, _ type: Value.Type
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    let address = state.pointee.x[unchecked: Int(operands.pointee.rs1)] &+ operands.pointee.signed
    let value = Value(truncatingIfNeeded: state.pointee.x[unchecked: Int(operands.pointee.rs2)])
    guard state.pointee.store(value, at: address) else { return trapped(hart, operation) }
    return operation.next
}

/// Raises an illegal-instruction exception for `operation`, with its bits as the trap value.
@inline(never)
func illegal(_ hart: HartReference, _ operation: OperationReference) -> OperationReference? {
    let bits = operation.operation.pointee.raw
    hart.state.pointee.pendingTrap = Trap(.illegalInstruction, value: UInt64(bits))
    return trapped(hart, operation)
}

extension UInt32 {
    @inline(__always) var signExtended: UInt64 { UInt64(bitPattern: Int64(Int32(bitPattern: self))) }
}

extension UInt64 {
    @inline(__always) var signed: Int64 { Int64(bitPattern: self) }
    @inline(__always) init(_ condition: Bool) { self = condition ? 1 : 0 }
}
