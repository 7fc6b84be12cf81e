internal import Synchronization
internal import Translator

// The A extension (Unprivileged Architecture 14). All atomics are sequentially consistent on the host, which is more than
// any combination of aq and rl asks for.

let atomicInstructions: [Instruction] = [
    Instruction("lr.w", .loadReserved, 0x1000_202F, 0xF9F0_707F, lift: .atomic(.loadReserved, wide: false)) {
        loadReserved($0, $1, UInt32.self)
    },
    Instruction("lr.d", .loadReserved, 0x1000_302F, 0xF9F0_707F, lift: .atomic(.loadReserved, wide: true)) {
        loadReserved($0, $1, UInt64.self)
    },
    Instruction("sc.w", .atomic, 0x1800_202F, 0xF800_707F, lift: .atomic(.storeConditional, wide: false)) {
        storeConditional($0, $1, UInt32.self)
    },
    Instruction("sc.d", .atomic, 0x1800_302F, 0xF800_707F, lift: .atomic(.storeConditional, wide: true)) {
        storeConditional($0, $1, UInt64.self)
    },
    Instruction("amoswap.w", .atomic, 0x0800_202F, 0xF800_707F, lift: .atomic(.swap, wide: false)) {
        atomic($0, $1, UInt32.self) { $1 }
    },
    Instruction("amoadd.w", .atomic, 0x0000_202F, 0xF800_707F, lift: .atomic(.add, wide: false)) {
        atomic($0, $1, UInt32.self) { $0 &+ $1 }
    },
    Instruction("amoxor.w", .atomic, 0x2000_202F, 0xF800_707F, lift: .atomic(.xor, wide: false)) {
        atomic($0, $1, UInt32.self) { $0 ^ $1 }
    },
    Instruction("amoand.w", .atomic, 0x6000_202F, 0xF800_707F, lift: .atomic(.and, wide: false)) {
        atomic($0, $1, UInt32.self) { $0 & $1 }
    },
    Instruction("amoor.w", .atomic, 0x4000_202F, 0xF800_707F, lift: .atomic(.or, wide: false)) {
        atomic($0, $1, UInt32.self) { $0 | $1 }
    },
    Instruction("amomin.w", .atomic, 0x8000_202F, 0xF800_707F) {
        atomic($0, $1, UInt32.self) { Int32(bitPattern: $0) < Int32(bitPattern: $1) ? $0 : $1 }
    },
    Instruction("amomax.w", .atomic, 0xA000_202F, 0xF800_707F) {
        atomic($0, $1, UInt32.self) { Int32(bitPattern: $0) < Int32(bitPattern: $1) ? $1 : $0 }
    },
    Instruction("amominu.w", .atomic, 0xC000_202F, 0xF800_707F) { atomic($0, $1, UInt32.self) { min($0, $1) } },
    Instruction("amomaxu.w", .atomic, 0xE000_202F, 0xF800_707F) { atomic($0, $1, UInt32.self) { max($0, $1) } },
    Instruction("amoswap.d", .atomic, 0x0800_302F, 0xF800_707F, lift: .atomic(.swap, wide: true)) {
        atomic($0, $1, UInt64.self) { $1 }
    },
    Instruction("amoadd.d", .atomic, 0x0000_302F, 0xF800_707F, lift: .atomic(.add, wide: true)) {
        atomic($0, $1, UInt64.self) { $0 &+ $1 }
    },
    Instruction("amoxor.d", .atomic, 0x2000_302F, 0xF800_707F, lift: .atomic(.xor, wide: true)) {
        atomic($0, $1, UInt64.self) { $0 ^ $1 }
    },
    Instruction("amoand.d", .atomic, 0x6000_302F, 0xF800_707F, lift: .atomic(.and, wide: true)) {
        atomic($0, $1, UInt64.self) { $0 & $1 }
    },
    Instruction("amoor.d", .atomic, 0x4000_302F, 0xF800_707F, lift: .atomic(.or, wide: true)) {
        atomic($0, $1, UInt64.self) { $0 | $1 }
    },
    Instruction("amomin.d", .atomic, 0x8000_302F, 0xF800_707F) {
        atomic($0, $1, UInt64.self) { $0.signed < $1.signed ? $0 : $1 }
    },
    Instruction("amomax.d", .atomic, 0xA000_302F, 0xF800_707F) {
        atomic($0, $1, UInt64.self) { $0.signed < $1.signed ? $1 : $0 }
    },
    Instruction("amominu.d", .atomic, 0xC000_302F, 0xF800_707F) { atomic($0, $1, UInt64.self) { min($0, $1) } },
    Instruction("amomaxu.d", .atomic, 0xE000_302F, 0xF800_707F) { atomic($0, $1, UInt64.self) { max($0, $1) } },
]

/// The two sizes of atomics, with the sign extension that a register gets.
private protocol AtomicWord: FixedWidthInteger, UnsignedInteger, BitwiseCopyable, AtomicRepresentable
where AtomicRepresentation: BitwiseCopyable {
    var extended: UInt64 { get }
    /// Stores `desired` where `expected` is found; returns what was found.
    static func exchange(_ address: UnsafeMutableRawPointer, expected: Self, desired: Self) -> Self
}

extension UInt32: AtomicWord {
    fileprivate var extended: UInt64 { signExtended }

    fileprivate static func exchange(_ address: UnsafeMutableRawPointer, expected: UInt32, desired: UInt32) -> UInt32 {
        // Atomic<UInt32> has the layout of UInt32, and the address is aligned.
        address.assumingMemoryBound(to: Atomic<UInt32>.self).pointee
            .compareExchange(expected: expected, desired: desired, ordering: .sequentiallyConsistent).original
    }
}

extension UInt64: AtomicWord {
    fileprivate var extended: UInt64 { self }

    fileprivate static func exchange(_ address: UnsafeMutableRawPointer, expected: UInt64, desired: UInt64) -> UInt64 {
        // Atomic<UInt64> has the layout of UInt64, and the address is aligned.
        address.assumingMemoryBound(to: Atomic<UInt64>.self).pointee
            .compareExchange(expected: expected, desired: desired, ordering: .sequentiallyConsistent).original
    }
}

@inline(__always)
private func loadReserved<Word: AtomicWord>(
    _ hart: HartReference, _ operation: OperationReference, _ type: Word.Type
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    let size = MemoryLayout<Word>.size
    let virtual = state.pointee.x[unchecked: Int(operands.pointee.rs1)]
    guard let address = state.pointee.atomicAddress(virtual, size: size, for: .load) else {
        return trapped(hart, operation)
    }
    let value = address.load(as: Word.self)
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    state.pointee.reservation = Reservation(
        address: UInt(bitPattern: address), size: UInt(size), value: UInt64(value))
    state.pointee.x[unchecked: Int(operands.pointee.rd)] = value.extended
    return operation.next
}

/// SC succeeds when its address and size are those of the reservation and memory still holds the value that LR read.
@inline(__always)
private func storeConditional<Word: AtomicWord>(
    _ hart: HartReference, _ operation: OperationReference, _ type: Word.Type
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    let size = MemoryLayout<Word>.size
    let virtual = state.pointee.x[unchecked: Int(operands.pointee.rs1)]
    guard let address = state.pointee.atomicAddress(virtual, size: size, for: .store) else {
        return trapped(hart, operation)
    }
    var failed: UInt64 = 1
    let reservation = state.pointee.reservation
    if reservation.address == UInt(bitPattern: address), reservation.size == UInt(size) {
        let expected = Word(truncatingIfNeeded: reservation.value)
        let desired = Word(truncatingIfNeeded: state.pointee.x[unchecked: Int(operands.pointee.rs2)])
        if Word.exchange(address, expected: expected, desired: desired) == expected { failed = 0 }
    }
    state.pointee.reservation.clear()
    state.pointee.x[unchecked: Int(operands.pointee.rd)] = failed
    return operation.next
}

/// rd = memory at rs1; memory = body(memory, rs2), in one step.
@inline(__always)
private func atomic<Word: AtomicWord>(
    _ hart: HartReference, _ operation: OperationReference, _ type: Word.Type, _ body: (Word, Word) -> Word
) -> OperationReference? {
    let state = hart.state
    let operands = operation.operation
    let virtual = state.pointee.x[unchecked: Int(operands.pointee.rs1)]
    guard let address = state.pointee.atomicAddress(virtual, size: MemoryLayout<Word>.size, for: .store) else {
        return trapped(hart, operation)
    }
    let operand = Word(truncatingIfNeeded: state.pointee.x[unchecked: Int(operands.pointee.rs2)])
    var expected = address.load(as: Word.self)
    while true {
        let found = Word.exchange(address, expected: expected, desired: body(expected, operand))
        if found == expected { break }
        expected = found
    }
    state.pointee.x[unchecked: Int(operands.pointee.rd)] = expected.extended
    return operation.next
}
