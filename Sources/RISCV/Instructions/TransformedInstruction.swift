/// A load or store as htinst and mtinst hold it: its 32-bit form without offset, with the distance from the access's address to the
/// fault's in place of rs1 (Privileged Architecture, "Transformed instruction or pseudoinstruction for mtinst or htinst").
struct TransformedInstruction {
    /// The register with the address that `offset` is added to.
    let base: UInt8
    private let offset: UInt64
    private let kept: UInt32

    /// Nil for an instruction that has no such form.
    init?(_ bits: UInt32) {
        guard let row = InstructionTable.find(bits) else { return nil }
        let operands = Operation(row, bits: bits)
        base = operands.rs1
        let destination = UInt32(operands.rd & 31) << 7
        let source = UInt32(operands.rs2) << 20
        switch row.format {
        case .load, .floatLoad: (kept, offset) = (bits & 0x7FFF, operands.signed)
        case .store, .floatStore: (kept, offset) = (bits & 0x01F0_707F, operands.signed)
        case .atomic, .loadReserved, .guestLoad, .guestStore: (kept, offset) = (bits & ~(31 << 15), 0)
        // The expansion of a 16-bit instruction; a 0 in bit 1 tells its length.
        case .cLoadWord, .cLoadWordStack: (kept, offset) = (0x2001 | Self.load | destination, operands.signed)
        case .cLoadDouble, .cLoadDoubleStack: (kept, offset) = (0x3001 | Self.load | destination, operands.signed)
        case .cFloatLoad, .cFloatLoadStack: (kept, offset) = (0x3001 | Self.floatLoad | destination, operands.signed)
        case .cStoreWord, .cStoreWordStack: (kept, offset) = (0x2001 | Self.store | source, operands.signed)
        case .cStoreDouble, .cStoreDoubleStack: (kept, offset) = (0x3001 | Self.store | source, operands.signed)
        case .cFloatStore, .cFloatStoreStack: (kept, offset) = (0x3001 | Self.floatStore | source, operands.signed)
        default: return nil
        }
    }

    // Major opcodes without their lowest two bits.
    private static let load: UInt32 = 0x00
    private static let floatLoad: UInt32 = 0x04
    private static let store: UInt32 = 0x20
    private static let floatStore: UInt32 = 0x24

    /// - Parameters:
    ///   - fault: the address of the fault.
    ///   - base: the value of the register `base`.
    func bits(fault: UInt64, base: UInt64) -> UInt64 {
        UInt64(kept) | ((fault &- base &- offset) & 31) << 15
    }
}
