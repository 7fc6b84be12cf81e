internal import TranslationRuntime
internal import Translator

/// RV64GC for the translator.
struct RISCVFrontEnd: GuestFrontEnd {
    private let operations = TranslationHost.operations
    private let extensions: ExtensionSet

    /// - Parameter extensions: those of the harts. The instructions of others are left to the interpreter, where they trap.
    init(_ extensions: ExtensionSet = .all) { self.extensions = extensions }

    var variant: UInt64 { UInt64(extensions.bits) }
    var codeAlignment: Int { 2 }
    var maximumBlockCount: Int { BlockLifter.maximumCount }
    // Most instructions are one statement, and those that are more stand beside calls of helpers, which are less code.
    var maximumStatements: Int { 1 }

    func lift(_ page: PageSnapshot, from start: Int, isOther: (Int) -> Bool) -> LiftedBlock? {
        let base = page.base
        var lifter = BlockLifter(
            address: base &+ UInt64(start), isRelative: page.isRelative, operations: operations)
        var offset = start
        // Blocks with instructions in the next page are apart from those without.
        let isInFirst = page.instruction(at: start, before: TranslatedPage.size) != nil
        let end = isInFirst ? TranslatedPage.size : page.size
        while !lifter.isComplete, let bits = page.instruction(at: offset, before: end) {
            if offset != start, isOther(offset) { break }
            guard let instruction = InstructionTable.find(bits, on: extensions) else { break }
            lifter.append(instruction, bits: bits, at: base &+ UInt64(offset))
            offset += bits & 3 == 3 ? 4 : 2
        }
        guard lifter.count > 0 else { return nil }
        // The last page of the address space goes on at 0.
        return LiftedBlock(
            lifter.block(next: base &+ UInt64(offset)), offset: start, byteCount: offset - start,
            returnAddress: lifter.returnAddress, isReturn: lifter.isReturn, codeAlignment: codeAlignment)
    }

    func disassemble(_ page: PageSnapshot, from start: Int, count: Int) -> [(address: UInt64, text: String)] {
        var result: [(UInt64, String)] = []
        var offset = start
        while result.count < count, let bits = page.instruction(at: offset, before: page.size) {
            let address = page.base &+ UInt64(offset)
            result.append((address, Disassembler.text(of: bits, at: address, on: extensions)))
            offset += bits & 3 == 3 ? 4 : 2
        }
        return result
    }
}

extension PageSnapshot {
    /// The instruction at an offset; nil when it does not end at `end` or before.
    fileprivate func instruction(at offset: Int, before end: Int) -> UInt32? {
        guard offset + 2 <= end else { return nil }
        let low = UInt32(bytes.load(fromByteOffset: offset, as: UInt16.self))
        guard low & 3 == 3 else { return low }
        guard offset + 4 <= end else { return nil }
        return UInt32(bytes.load(fromByteOffset: offset + 2, as: UInt16.self)) << 16 | low
    }
}
