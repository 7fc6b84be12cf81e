import GuestMemory
import GuestToolchain
import Machine
import RISCV
import Testing

/// Our text of machine code beside the toolchain's.
@Suite struct DisassemblerTests {
    private static let base: UInt64 = 0x8000_0000

    /// Instructions that lie one after the other, and what each disassembler makes of them.
    private struct Lines {
        let bits: [UInt32]
        let ours: [String]
        let theirs: [String]

        init(_ bits: [UInt32]) throws {
            self.bits = bits
            var address = DisassemblerTests.base
            var code: [UInt8] = []
            ours = bits.map { bits in
                let size = bits & 3 == 3 ? 4 : 2
                code += (0..<size).map { UInt8(truncatingIfNeeded: bits >> UInt32(8 * $0)) }
                defer { address += UInt64(size) }
                return Disassembler.text(of: bits, at: address)
            }
            let text = try Toolchain.disassemble(
                code, at: DisassemblerTests.base, options: ["-M", "no-aliases", "--no-print-imm-hex", "-z"])
            // An address, the bits, and after a tab the instruction.
            theirs = text.split(separator: "\n").compactMap { line -> String? in
                let columns = line.split(separator: "\t", maxSplits: 1)
                guard columns.count == 2, columns[0].hasPrefix("8") else { return nil }
                return String(columns[1]).replacing("\t", with: " ")
            }
        }
    }

    /// The toolchain's text in our words: without the symbol behind a target, with the immediate of lui in hexadecimal, and
    /// with data for what it does not know.
    private func expected(_ text: String, _ bits: UInt32) -> String {
        var text = text
        if text == "<unknown>" {
            let isWide = bits & 3 == 3
            return "\(isWide ? ".4byte" : ".2byte") 0x\(String(isWide ? bits : bits & 0xFFFF, radix: 16))"
        }
        // pause is a fence to those who do not want aliases.
        if bits == 0x0100_000F { return "pause" }
        if let symbol = text.firstIndex(of: "<") {
            text = String(text[..<symbol])
            while text.last == " " { text.removeLast() }
        }
        if text.hasPrefix("lui ") || text.hasPrefix("auipc ") || text.hasPrefix("c.lui ") {
            let words = text.split(separator: " ")
            if let number = words.last.flatMap({ UInt32($0) }) {
                text = words.dropLast().joined(separator: " ") + " 0x" + String(number, radix: 16)
            }
        }
        return text
    }

    private func compare(_ bits: [UInt32], where isComparable: (UInt32, String) -> Bool = { _, _ in true }) throws {
        let lines = try Lines(bits)
        try #require(lines.theirs.count == bits.count)
        for ((bits, ours), theirs) in zip(zip(lines.bits, lines.ours), lines.theirs) where isComparable(bits, theirs) {
            #expect(ours == expected(theirs, bits), "0x\(String(bits, radix: 16))")
        }
    }

    @Test func everyInstructionWithAnyOperandsReadsAsTheToolchainWritesIt() throws {
        var random = FuzzRandom(seed: 3)
        var bits: [UInt32] = []
        for row in InstructionTable.all {
            let width: UInt32 = row.match & 3 == 3 ? .max : 0xFFFF
            let fields: [UInt32] =
                [0, .max] + (0..<60).map { _ in UInt32(truncatingIfNeeded: random.next()) }
                // One field at a time, where several at once are too rarely legal: rm and the fields of fence.
                + (0..<32).map { 1 << UInt32($0) }
            bits += fields.map { ($0 & ~row.mask | row.match) & width }
        }
        // The toolchain knows more CSRs by name than the hart has.
        try compare(bits) { bits, _ in
            bits & 0x7F != 0x73 || bits >> 12 & 3 == 0 || CSR.name(of: Int(bits >> 20)) != nil
        }
    }

    @Test func everySixteenBitsReadAsTheToolchainWritesThem() throws {
        // The hart has no Zcmop, Zcb and the like, whose encodings the toolchain would know only by name.
        try compare((0...0xFFFF).filter { $0 & 3 != 3 })
    }

    @Test func everyCSROfTheHartHasTheNameThatTheToolchainGivesIt() throws {
        let bits = (0..<4096).filter { CSR.name(of: $0) != nil }.map { UInt32($0) << 20 | 0x2573 }
        #expect(bits.count == 200)
        try compare(bits)
    }

    @Test(arguments: [(false, 144), (true, 182)])
    func everyCSRThatCanBeReadHasAName(hasHypervisor: Bool, count: Int) throws {
        let memory = try GuestMemory(ranges: [(base: Self.base, size: 4096)])
        let hart = Hart(
            index: 0, addressSpace: AddressSpace(memory: memory), timeBase: TimeBase(), resetAddress: Self.base,
            hasHypervisor: hasHypervisor)
        let known = (0..<4096).filter { hart.readCSR($0) != nil }
        #expect(known.count == count)
        #expect(known.filter { CSR.name(of: $0) == nil } == [])
    }
}
