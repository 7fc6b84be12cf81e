/// Every instruction of harts, and the way from bits to a row.
package enum InstructionTable {
    /// All rows, in the order of the extensions.
    package static let all: [Instruction] =
        integerInstructions + multiplicationInstructions + atomicInstructions + addressGenerationInstructions.of(.zba)
        + basicBitManipulationInstructions.of(.zbb) + singleBitInstructions.of(.zbs)
        + conditionalInstructions.of(.zicond)
        + systemInstructions + hypervisorInstructions + cacheBlockInstructions + floatingPointInstructions
        + halfPrecisionInstructions.of(.zfhmin) + compressedInstructions

    /// The row that `bits` (16 or 32 of them, told apart by the lowest two) belong to on a hart with `extensions`; nil when there is none.
    package static func find(_ bits: UInt32, on extensions: ExtensionSet = .all) -> Instruction? {
        buckets[bucket(of: bits)].first { row in
            bits & row.mask == row.match && (row.part.map { extensions.contains($0) } ?? true)
        }
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
