internal import Translator

// Vectors of 128 bits, which are in memory between statements. Results are computed in xmm0.
extension Generator {
    mutating func emit(_ operation: VectorOperation, _ slot: Slot, _ a: Slot, _ b: Slot) {
        assembler.loadVector(.xmm0, place(ofVector: a))
        assembler.loadVector(.xmm1, place(ofVector: b))
        assembler.vector(operation.opcode, .xmm0, .xmm1)
        assembler.storeVector(place(ofVector: slot), .xmm0)
    }

    mutating func emitVectorLoad(_ slot: Slot, _ base: Operand, _ displacement: Int32) {
        let address = guestAddress(base, displacement)
        stubs.append(.interpret(site: lookUp(address, bytes: 16, store: false, into: .rax), context))
        assembler.loadVector(.xmm0, Address(.rax, index: address))
        assembler.storeVector(place(ofVector: slot), .xmm0)
    }

    mutating func emitVectorStore(_ slot: Slot, _ base: Operand, _ displacement: Int32) {
        let address = guestAddress(base, displacement)
        stubs.append(.interpret(site: lookUp(address, bytes: 16, store: true, into: .rax), context))
        assembler.loadVector(.xmm0, place(ofVector: slot))
        assembler.storeVector(Address(.rax, index: address), .xmm0)
    }

    private func place(ofVector slot: Slot) -> Address {
        precondition(slot.index >= layout.firstMemorySlot.index, "vectors are in memory")
        return address(of: slot)
    }
}

extension VectorOperation {
    /// The second byte of the opcode of the SSE2 instruction.
    fileprivate var opcode: UInt8 {
        switch self {
        case .and: 0xDB
        case .or: 0xEB
        case .xor: 0xEF
        case .add8: 0xFC
        case .add32: 0xFE
        case .add64: 0xD4
        case .subtract32: 0xFA
        }
    }
}
