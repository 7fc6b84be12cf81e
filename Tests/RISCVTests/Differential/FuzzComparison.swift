/// What must be equal of two blocks after a run, and how they differ.
struct FuzzComparison {
    let program: FuzzProgram
    let index: Int

    /// One line for each difference that matters; the second block is the reference's.
    func differences(_ ours: CaseBlock, _ theirs: CaseBlock) -> [String] {
        var lines: [String] = []
        func compare(_ name: @autoclosure () -> String, _ one: UInt64, _ other: UInt64) {
            if one != other { lines.append("\(name()): \(hex(one)) | \(hex(other))") }
        }
        compare("end", ours.end.rawValue, theirs.end.rawValue)
        for number in 1..<32 { compare("x\(number)", ours.outputX(number), theirs.outputX(number)) }
        for number in 0..<32 { compare("f\(number)", ours.outputF(number), theirs.outputF(number)) }
        compare("fcsr", ours.outputFCSR, theirs.outputFCSR)
        compare("mstatus", ours.outputMstatus, theirs.outputMstatus)
        let traps = (ours.traps, theirs.traps)
        for index in 0..<max(traps.0.count, traps.1.count) {
            let one = traps.0.indices.contains(index) ? traps.0[index] : nil
            let other = traps.1.indices.contains(index) ? traps.1[index] : nil
            if let one, let other, isSame(one, other) { continue }
            lines.append("trap \(index): \(describe(one)) | \(describe(other))")
        }
        for offset in stride(from: CaseBlock.scratch, to: ours.bytes.count, by: 8) {
            compare("memory \(hex(UInt64(offset)))", ours[word: offset], theirs[word: offset])
        }
        return lines
    }

    /// Equal, but for what the specification leaves open and QEMU 7.2 gets wrong.
    private func isSame(_ ours: CaseBlock.Trap, _ theirs: CaseBlock.Trap) -> Bool {
        var theirs = theirs
        guard ours.epc == theirs.epc else { return false }
        // mtval of EBREAK may be its address or 0.
        if ours.cause == 3 { theirs.tval = ours.tval }
        // Misaligned where there is no memory: either exception may come first, and QEMU names the aligned part.
        if theirs.cause == 5 || theirs.cause == 7, ours.cause == theirs.cause || ours.cause == theirs.cause - 1 {
            return ours.tval & ~7 == theirs.tval & ~7
        }
        // The first page leads nowhere and the second has no translation: either half may be the first to fail.
        if theirs.cause == 13 || theirs.cause == 15, ours.cause == theirs.cause - 8 {
            return theirs.tval & 0xfff == 0 && theirs.tval &- ours.tval < 8
        }
        return ours == theirs
    }

    private func describe(_ trap: CaseBlock.Trap?) -> String {
        guard let trap else { return "none" }
        return "cause \(trap.cause) at +\(hex(trap.epc &- program.starts[index])) value \(hex(trap.tval))"
    }

    private func hex(_ value: UInt64) -> String { "0x" + String(value, radix: 16) }
}
