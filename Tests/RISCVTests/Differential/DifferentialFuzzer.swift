import GuestToolchain

/// Runs random sequences on two machines, compares everything, and makes a difference small.
struct DifferentialFuzzer {
    let ours: any GuestRunner
    let reference: any GuestRunner
    /// Sequences run as guests of a hypervisor.
    var isGuest = false

    static let batch = 400

    /// One sequence whose outcomes differ.
    struct Finding: CustomStringConvertible {
        let seed: UInt64
        let description: String
    }

    /// Runs `count` sequences from `seed` on; stops after the batch in which the first differences are.
    func run(seed: UInt64, count: Int, limit: Int = 3) throws -> [Finding] {
        var first = seed
        var left = count
        while left > 0 {
            let size = min(left, Self.batch)
            let sequences = (0..<size).map { number in
                var sequence = FuzzGenerator.sequence(seed: first &+ UInt64(number))
                sequence.isGuest = isGuest
                return sequence
            }
            let differing = try differences(of: sequences)
            if !differing.isEmpty {
                return try differing.prefix(limit).map { index, _ in
                    let seed = first &+ UInt64(index)
                    return Finding(seed: seed, description: try explain(sequences[index], seed: seed))
                }
            }
            first &+= UInt64(size)
            left -= size
        }
        return []
    }

    /// The sequences that end differently, by index, with what differs.
    private func differences(of sequences: [FuzzSequence]) throws -> [(Int, [String])] {
        let program = try FuzzProgram(sequences)
        let mine = try program.cases.run(on: ours)
        let theirs = try program.cases.run(on: reference)
        return sequences.indices.compactMap { index in
            if mine[index].bytes == theirs[index].bytes { return nil }
            let lines = FuzzComparison(program: program, index: index).differences(mine[index], theirs[index])
            return lines.isEmpty ? nil : (index, lines)
        }
    }

    /// Removes items as long as a difference remains: first many at once, in the end one by one.
    private func shrink(_ sequence: FuzzSequence) throws -> FuzzSequence {
        var sequence = sequence
        var size = max(1, sequence.items.count / 2)
        while true {
            let kept = sequence.items.indices.filter { !sequence.removed.contains($0) }
            let candidates = stride(from: 0, to: kept.count, by: size).map { start in
                var candidate = sequence
                candidate.removed.formUnion(kept[start..<min(start + size, kept.count)])
                return candidate
            }
            if let found = try candidates.isEmpty ? nil : differences(of: candidates).first {
                sequence = candidates[found.0]
            } else if size > 1 {
                size /= 2
            } else {
                return sequence
            }
        }
    }

    private func explain(_ sequence: FuzzSequence, seed: UInt64) throws -> String {
        let small = try shrink(sequence)
        let program = try FuzzProgram([small])
        let lines = try differences(of: [small]).first?.1 ?? ["gone when run alone"]
        let code = small.code(
            block: CaseProgram.blockAddress(0, codeSize: program.size, stride: FuzzSequence.blockSize))
        let listing = try Toolchain.disassemble(Array(code.bytes.prefix(code.end)), at: program.starts[0])
            .split(separator: "\n").filter { $0.contains("\t") && !$0.hasSuffix("\tnop") }
        let status = small.block.mstatus
        let entries = small.entries.map { "\(String($0.offset, radix: 16)): \(String($0.value, radix: 16))" }
        return """
            seed \(seed), \(small.mode), Sv\(small.levels * 9 + 12), mstatus 0x\(String(status, radix: 16)):
            entries \(entries.joined(separator: ", "))
            \(listing.joined(separator: "\n"))
            \(ours.name) | \(reference.name)
            \(lines.prefix(24).joined(separator: "\n"))
            """
    }
}

/// Sequences as one program.
struct FuzzProgram {
    let cases: CaseProgram
    /// Addresses of the first instructions.
    let starts: [UInt64]
    let size: Int

    init(_ sequences: [FuzzSequence]) throws {
        // Sizes do not depend on addresses.
        let sizes = sequences.map { ($0.code(block: 0).bytes.count + 15) & ~15 }
        size = sizes.reduce(0, +)
        var code: [UInt8] = []
        var blocks: [CaseBlock] = []
        var starts: [UInt64] = []
        for (index, sequence) in sequences.enumerated() {
            let start = CaseProgram.codeBase + UInt64(code.count)
            let address = CaseProgram.blockAddress(index, codeSize: size, stride: FuzzSequence.blockSize)
            let encoded = sequence.code(block: address)
            blocks.append(sequence.block(at: address, start: start, end: start + UInt64(encoded.end)))
            starts.append(start)
            code += encoded.bytes + [UInt8](repeating: 0, count: sizes[index] - encoded.bytes.count)
        }
        self.starts = starts
        cases = try CaseProgram(code: code, blocks: blocks)
    }
}
