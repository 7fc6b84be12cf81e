// SSE2 instructions on 128 bits.
extension Assembler {
    /// MOVDQU.
    mutating func loadVector(_ vector: Vector, _ address: Address) {
        encode(prefix: 0xF3, 0x6F0F, vector.rawValue, .memory(address), wide: false)
    }

    mutating func storeVector(_ address: Address, _ vector: Vector) {
        encode(prefix: 0xF3, 0x7F0F, vector.rawValue, .memory(address), wide: false)
    }

    /// An instruction with the prefix 66 and the opcode 0F `opcode`: vector = vector operation source.
    mutating func vector(_ opcode: UInt8, _ vector: Vector, _ source: Vector) {
        encode(
            prefix: 0x66, UInt32(opcode) << 8 | 0x0F, vector.rawValue, VectorPlace.vector(source).place, wide: false)
    }
}
