import GuestToolchain

/// Runs tables of cases on a machine and says what differs from the expectation.
enum InstructionSuite {
    private static let end = "ecall"

    /// The differences, one line each; empty when every case holds.
    static func failures(of cases: [InstructionCase], on runner: any GuestRunner) throws -> [String] {
        let cases = cases.filter { $0.needs.map(runner.features.contains) ?? true }
        let code = try Toolchain.assemble(assembly(of: cases), at: CaseProgram.codeBase)
        let table = CaseBlock(code)
        let spans = cases.indices.map { (start: table[word: 16 * $0], end: table[word: 16 * $0 + 8]) }
        let blocks = cases.indices.map { index in
            block(
                for: cases[index], span: spans[index],
                scratch: CaseProgram.blockAddress(index, codeSize: code.count) + UInt64(InstructionCase.scratchOffset))
        }
        let after = try CaseProgram(code: code, blocks: blocks).run(on: runner)
        return cases.indices.flatMap { index in
            differences(of: cases[index], before: blocks[index], after: after[index]).map {
                "\(runner.name): \(cases[index].text): \($0)"
            }
        }
    }

    private static func assembly(of cases: [InstructionCase]) -> String {
        var text = ".option norelax\n.option norvc\n.section .text.start, \"ax\"\n.globl _start\n_start:\n"
        for index in cases.indices { text += ".dword case_\(index), end_\(index)\n" }
        for (index, one) in cases.enumerated() {
            text += ".balign 16\n.option push\n.option \(one.compressed ? "rvc" : "norvc")\n"
            text += "case_\(index):\n\(one.text)\n.option pop\nend_\(index): \(end)\n"
        }
        return text
    }

    private static func resolve(_ value: InstructionCase.Value, _ code: UInt64, _ scratch: UInt64) -> UInt64 {
        switch value {
        case .constant(let constant): constant
        case .code(let offset): code &+ UInt64(bitPattern: offset)
        case .scratch(let offset): scratch &+ UInt64(bitPattern: offset)
        }
    }

    private static func block(
        for one: InstructionCase, span: (start: UInt64, end: UInt64), scratch: UInt64
    ) -> CaseBlock {
        var block = CaseBlock()
        for number in 1..<32 { block.setX(number, InstructionCase.pattern(x: number)) }
        for number in 0..<32 { block.setF(number, InstructionCase.pattern(f: number)) }
        block.setX(Register.s0, scratch)
        for (number, value) in one.x { block.setX(number, resolve(value, span.start, scratch)) }
        for (number, value) in one.f { block.setF(number, value) }
        block.startPC = span.start
        block.endPC = span.end
        block.fcsr = one.fcsr
        block.mstatus = 0x7800  // FS dirty, MPP = M
        for offset in CaseBlock.scratch..<CaseBlock.size {
            block[byte: offset] = InstructionCase.pattern(memory: offset - InstructionCase.scratchOffset)
        }
        for (offset, byte) in one.memory.enumerated() { block[byte: InstructionCase.scratchOffset + offset] = byte }
        return block
    }

    private static func differences(of one: InstructionCase, before: CaseBlock, after: CaseBlock) -> [String] {
        var differences: [String] = []
        func compare(_ what: @autoclosure () -> String, _ found: UInt64, _ expected: UInt64) {
            if found != expected { differences.append("\(what()) is \(hex(found)), not \(hex(expected))") }
        }
        let code = before.startPC
        let scratch = before.inputX(Register.s0)
        if after.end != .finished { differences.append("it ended as \(after.end)") }
        let traps = one.expectedTraps.map {
            CaseBlock.Trap(cause: $0.cause, epc: code + $0.offset, tval: resolve($0.tval, code, scratch))
        }
        if after.traps != traps {
            differences.append(
                "its traps are \(describe(after.traps)), not \(describe(traps)); it starts at \(hex(code))")
        }
        for number in 1..<32 {
            let expected = one.expectedX[number].map { resolve($0, code, scratch) } ?? before.inputX(number)
            compare("x\(number)", after.outputX(number), expected)
        }
        for number in 0..<32 {
            compare("f\(number)", after.outputF(number), one.expectedF[number] ?? before.inputF(number))
        }
        compare("fcsr", after.outputFCSR, one.expectedFCSR ?? one.fcsr)
        for offset in CaseBlock.scratch..<CaseBlock.size {
            let place = offset - InstructionCase.scratchOffset
            let changed = one.expectedMemory.flatMap { $0.indices.contains(place) ? $0[place] : nil }
            compare("s0[\(place)]", UInt64(after.bytes[offset]), UInt64(changed ?? before.bytes[offset]))
        }
        return differences
    }

    private static func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }

    private static func describe(_ traps: [CaseBlock.Trap]) -> String {
        "[" + traps.map { "cause \(hex($0.cause)) at \(hex($0.epc)) with \(hex($0.tval))" }.joined(separator: ", ")
            + "]"
    }
}
