// The shapes that rows of the F, D and Zfhmin extensions are made of. All of them inline into the row's handler. With the unit
// off (mstatus.FS 0), and with a reserved rounding mode, an instruction is illegal.

extension BinaryFormat {
    /// The bits of a register above the number, which are all set around a narrower one.
    @inline(__always) private static var boxing: UInt64 { Bits.bitWidth == 64 ? 0 : ~0 << UInt64(Bits.bitWidth) }

    /// The number in a register of 64 bits. A narrower one that is not NaN-boxed reads as the canonical NaN (Unprivileged
    /// Architecture, D extension, "NaN boxing of narrower values").
    @inline(__always)
    static func unbox(_ register: UInt64) -> Bits {
        register & boxing == boxing ? Bits(truncatingIfNeeded: register) : canonicalNaN
    }

    /// The register's 64 bits for a number.
    @inline(__always)
    static func box(_ bits: Bits) -> UInt64 {
        UInt64(truncatingIfNeeded: bits) | boxing
    }
}

extension HartState {
    /// Floating-point registers and fcsr may be used.
    @inline(__always)
    var isFloatingPointOn: Bool { csr.status & Status.fs != 0 && csr.outerFloat != 0 }

    /// The rounding mode of an instruction; nil when the instruction is illegal, because the mode is reserved or the
    /// unit is off.
    @inline(__always)
    mutating func rounding(_ field: UInt8) -> RoundingMode? {
        guard isFloatingPointOn else { return nil }
        return RoundingMode(rawValue: field == 7 ? csr.frm : field)
    }

    @inline(__always)
    mutating func setFloat(_ register: UInt8, _ value: UInt64) {
        f[unchecked: Int(register)] = value
        csr.setFloatingPointDirty()
    }

    /// Adds to fflags, which makes the unit's state dirty when it changes.
    @inline(__always)
    mutating func accrue(_ flags: FloatingPointFlags) {
        guard flags.rawValue & ~csr.fflags != 0 else { return }
        csr.fflags |= flags.rawValue
        csr.setFloatingPointDirty()
    }
}

/// fd = body(fs1, fs2, mode)
@inline(__always)
func floatRounded<Float: BinaryFormat>(
    _ hart: HartReference, _ operation: OperationReference, _ format: Float.Type,
    _ body: (Float.Bits, Float.Bits, RoundingMode, inout FloatingPointFlags) -> Float.Bits
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    guard let rounding = state.pointee.rounding(operands.pointee.rounding) else { return illegal(hart, operation) }
    var flags: FloatingPointFlags = []
    let result = body(
        Float.unbox(state.pointee.f[unchecked: Int(operands.pointee.rs1)]),
        Float.unbox(state.pointee.f[unchecked: Int(operands.pointee.rs2)]), rounding, &flags)
    state.pointee.setFloat(operands.pointee.rd, Float.box(result))
    state.pointee.accrue(flags)
    return operation.next
}

/// fd = (fs1 × fs2) + fs3, with the signs of the product and of fs3 flipped as said.
@inline(__always)
func floatFused<Float: BinaryFormat>(
    _ hart: HartReference, _ operation: OperationReference, _ format: Float.Type,
    negateProduct: Bool, negateAddend: Bool
) -> OperationReference? {
    let state = hart.state
    let addend = Float.unbox(state.pointee.f[unchecked: Int(operation.operation.pointee.rs3)])
    return floatRounded(hart, operation, format) { a, b, rounding, flags in
        Float.multiplyAdd(
            negateProduct ? a ^ Float.signBit : a, b, negateAddend ? addend ^ Float.signBit : addend, rounding, &flags)
    }
}

/// fd = body(fs1, fs2), without rounding
@inline(__always)
func floatRegisters<Float: BinaryFormat>(
    _ hart: HartReference, _ operation: OperationReference, _ format: Float.Type,
    _ body: (Float.Bits, Float.Bits, inout FloatingPointFlags) -> Float.Bits
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    guard state.pointee.isFloatingPointOn else { return illegal(hart, operation) }
    var flags: FloatingPointFlags = []
    let result = body(
        Float.unbox(state.pointee.f[unchecked: Int(operands.pointee.rs1)]),
        Float.unbox(state.pointee.f[unchecked: Int(operands.pointee.rs2)]), &flags)
    state.pointee.setFloat(operands.pointee.rd, Float.box(result))
    state.pointee.accrue(flags)
    return operation.next
}

/// rd = body(fs1, fs2): comparisons and classes
@inline(__always)
func floatCompared<Float: BinaryFormat>(
    _ hart: HartReference, _ operation: OperationReference, _ format: Float.Type,
    _ body: (Float.Bits, Float.Bits, inout FloatingPointFlags) -> UInt64
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    guard state.pointee.isFloatingPointOn else { return illegal(hart, operation) }
    var flags: FloatingPointFlags = []
    state.pointee.x[unchecked: Int(operands.pointee.rd)] = body(
        Float.unbox(state.pointee.f[unchecked: Int(operands.pointee.rs1)]),
        Float.unbox(state.pointee.f[unchecked: Int(operands.pointee.rs2)]), &flags)
    state.pointee.accrue(flags)
    return operation.next
}

/// rd = fs1 rounded to an integer; 32-bit results are sign-extended, unsigned ones, too.
@inline(__always)
func floatToInteger<Float: BinaryFormat, Integer: FixedWidthInteger>(
    _ hart: HartReference, _ operation: OperationReference, _ format: Float.Type, _ type: Integer.Type
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    guard let rounding = state.pointee.rounding(operands.pointee.rounding) else { return illegal(hart, operation) }
    var flags: FloatingPointFlags = []
    let number = Float.unbox(state.pointee.f[unchecked: Int(operands.pointee.rs1)])
    let result = Float.integer(number, as: type, rounding, &flags)
    state.pointee.x[unchecked: Int(operands.pointee.rd)] =
        Integer.bitWidth == 32
        ? UInt32(truncatingIfNeeded: result).signExtended : UInt64(truncatingIfNeeded: result)
    state.pointee.accrue(flags)
    return operation.next
}

/// fd = the low bits of rs1, as an integer of that type
@inline(__always)
func integerToFloat<Float: BinaryFormat, Integer: FixedWidthInteger>(
    _ hart: HartReference, _ operation: OperationReference, _ format: Float.Type, _ type: Integer.Type
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    guard let rounding = state.pointee.rounding(operands.pointee.rounding) else { return illegal(hart, operation) }
    var flags: FloatingPointFlags = []
    let integer = Integer(truncatingIfNeeded: state.pointee.x[unchecked: Int(operands.pointee.rs1)])
    let result = Float.convert(integer, rounding, &flags)
    state.pointee.setFloat(operands.pointee.rd, Float.box(result))
    state.pointee.accrue(flags)
    return operation.next
}

/// fd = fs1 in another format
@inline(__always)
func floatToFloat<Source: BinaryFormat, Target: BinaryFormat>(
    _ hart: HartReference, _ operation: OperationReference, from source: Source.Type, to target: Target.Type
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    guard let rounding = state.pointee.rounding(operands.pointee.rounding) else { return illegal(hart, operation) }
    var flags: FloatingPointFlags = []
    let number = Source.unbox(state.pointee.f[unchecked: Int(operands.pointee.rs1)])
    let result = Source.convert(number, to: target, rounding, &flags)
    state.pointee.setFloat(operands.pointee.rd, Target.box(result))
    state.pointee.accrue(flags)
    return operation.next
}

/// rd = the bits of fs1, whatever they are
@inline(__always)
func moveToInteger(
    _ hart: HartReference, _ operation: OperationReference, _ body: (UInt64) -> UInt64
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    guard state.pointee.isFloatingPointOn else { return illegal(hart, operation) }
    state.pointee.x[unchecked: Int(operands.pointee.rd)] = body(
        state.pointee.f[unchecked: Int(operands.pointee.rs1)])
    return operation.next
}

/// fd = the low bits of rs1
@inline(__always)
func moveFromInteger<Float: BinaryFormat>(
    _ hart: HartReference, _ operation: OperationReference, _ format: Float.Type
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    guard state.pointee.isFloatingPointOn else { return illegal(hart, operation) }
    let bits = Float.Bits(truncatingIfNeeded: state.pointee.x[unchecked: Int(operands.pointee.rs1)])
    state.pointee.setFloat(operands.pointee.rd, Float.box(bits))
    return operation.next
}

/// fd = the number at rs1 + immediate
@inline(__always)
func loadFloat<Float: BinaryFormat>(
    _ hart: HartReference, _ operation: OperationReference, _ format: Float.Type
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    guard state.pointee.isFloatingPointOn else { return illegal(hart, operation) }
    let address = state.pointee.x[unchecked: Int(operands.pointee.rs1)] &+ operands.pointee.signed
    guard let bits = state.pointee.load(Float.Bits.self, at: address) else { return trapped(hart, operation) }
    state.pointee.setFloat(operands.pointee.rd, Float.box(bits))
    return operation.next
}

/// Stores the low bits of fs2, whatever they are, at rs1 + immediate.
@inline(__always)
func storeFloat<Float: BinaryFormat>(
    _ hart: HartReference, _ operation: OperationReference, _ format: Float.Type
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    guard state.pointee.isFloatingPointOn else { return illegal(hart, operation) }
    let address = state.pointee.x[unchecked: Int(operands.pointee.rs1)] &+ operands.pointee.signed
    let bits = Float.Bits(truncatingIfNeeded: state.pointee.f[unchecked: Int(operands.pointee.rs2)])
    guard state.pointee.store(bits, at: address) else { return trapped(hart, operation) }
    return operation.next
}
