/// Every instruction of the hart, and the way from bits to a row.
package enum InstructionTable {
    /// All rows, in the order of the extensions.
    package static let all: [Instruction] =
        integerInstructions + multiplicationInstructions + atomicInstructions + addressGenerationInstructions
        + basicBitManipulationInstructions + singleBitInstructions + conditionalInstructions + systemInstructions
        + hypervisorInstructions + cacheBlockInstructions + floatingPointInstructions + compressedInstructions

    /// The row that `bits` (16 or 32 of them, told apart by the lowest two) belong to; nil when there is none.
    package static func find(_ bits: UInt32) -> Instruction? {
        buckets[bucket(of: bits)].first { bits & $0.mask == $0.match }
    }

    // 32-bit instructions are told apart by opcode and funct3, 16-bit ones by quadrant and funct3. A row whose mask
    // leaves some of these bits open stands in several buckets. Rows with more fixed bits come first.
    private static let buckets: [[Instruction]] = {
        var buckets = [[Instruction]](repeating: [], count: 512)
        for row in all.sorted(by: { $0.mask.nonzeroBitCount > $1.mask.nonzeroBitCount }) {
            let wide = row.match & 3 == 3
            for candidate in 0..<UInt32(256) {
                let bits =
                    wide ? (candidate & 31) << 2 | (candidate >> 5) << 12 | 3 : candidate & 3 | (candidate >> 2) << 13
                guard wide || candidate < 32 else { continue }
                let known: UInt32 = wide ? 0x707F : 0xE003
                if (bits ^ row.match) & row.mask & known == 0 { buckets[bucket(of: bits)].append(row) }
            }
        }
        return buckets
    }()

    private static func bucket(of bits: UInt32) -> Int {
        Int(bits & 3 == 3 ? (bits >> 2 & 31) | (bits >> 12 & 7) << 5 : 256 | bits & 3 | (bits >> 13 & 7) << 2)
    }
}
