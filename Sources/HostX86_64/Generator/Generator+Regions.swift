package import Translator

// Regions: blocks that run often, compiled together with registers of their own.
extension Generator {
    /// Translates blocks into a region. Jumps between them are direct, and everything else leaves the region through the
    /// jump cache.
    package mutating func translateRegion(_ blocks: [GuestBlock]) -> TranslatedRegion {
        let indices = blocks.indicesByAddress
        assembler.align(to: 16)
        makeParts(for: blocks)
        assembler.align(to: 16)
        emit(blocks) { target in indices[target].map(LinkTarget.block) ?? .lookup }
        let starts = entries.compactMap { $0 }
        fillTables(blocks, starts)
        var entries: [Int] = []
        var gates: [Int] = []
        for (index, start) in starts.enumerated() {
            beginBlock(index)
            gates.append(isRelative ? emitPageEntry() : assembler.position)
            // A call that has room for the jump by which `CodeCache.redirect` replaces it.
            assembler.keepTogether(5, alignment: Assembler.patchSize)
            entries.append(assembler.position)
            assembler.call(pieces.enterRegion)
            assembler.jump(to: start)
        }
        return TranslatedRegion(entries: entries, gates: gates, end: assembler.position)
    }

    // MARK: Jumps to anywhere in a region

    /// Room for a table when a part has jumps for it and the region's blocks do not lie too far apart.
    mutating func makeTable(for blocks: [GuestBlock], part: Int) -> JumpTable? {
        let needsTable = blocks.indices.contains { blocks[$0].jumpsAnywhere && parts.ofBlocks[$0] == part }
        guard needsTable, let first = blocks.map(\.address).min(), let last = blocks.map(\.address).max(),
            last - first < JumpTable.limit
        else { return nil }
        assembler.align(to: 64)
        let table = JumpTable(
            position: assembler.position, first: first, span: last - first, alignment: layout.codeAlignment)
        assembler.position += table.count * 8
        return table
    }

    private mutating func fillTables(_ blocks: [GuestBlock], _ starts: [Int]) {
        for part in parts.all.indices {
            begin(part: part)
            guard let table else { continue }
            for index in 0..<table.count { set(table, index, pieces.lookup ?? pieces.exitJump) }
            for (index, block) in blocks.enumerated() {
                var target = starts[index]
                if parts.isOther(index) {
                    target = assembler.position
                    callMoves(toPartOf: index)
                    assembler.jump(to: starts[index])
                }
                set(table, Int(block.address - table.first) / table.alignment, target)
            }
        }
    }

    private func set(_ table: JumpTable, _ index: Int, _ target: Int) {
        UnsafeMutableRawPointer(assembler.base + table.position + index * 8).storeBytes(
            of: target - table.position, as: Int.self)
    }

    /// Goes on at the guest address in rax, whose bit 0 does not count where instructions are aligned.
    mutating func emitJump(through table: JumpTable) {
        assembler.move(.rcx, value: 0 &- table.first)
        assembler.arithmetic(.add, .rcx, .register(.rax))
        if isRelative { assembler.arithmetic(.sub, .rcx, .memory(state(layout.codePage))) }
        if table.alignment == 2 { assembler.shift(.right, .register(.rcx), by: 1) }
        assembler.arithmetic(.cmp, .register(.rcx), Int32(table.count - 1))
        assembler.jump(.above, to: pieces.lookup ?? pieces.exitJump)
        assembler.link(assembler.loadAddressOfPosition(.rdx), to: table.position)
        assembler.arithmetic(.add, .rdx, .memory(Address(.rdx, index: .rcx, scale: 3)))
        assembler.jump(.register(.rdx))
    }
}

/// The position of the code, counted from the table's own, of each guest address of a range where an instruction can begin.
struct JumpTable: Sendable {
    let position: Int
    let first: UInt64
    /// From the first address to the last.
    let span: UInt64
    /// 1 or 2.
    let alignment: Int

    var count: Int { Int(span) / alignment + 1 }

    /// Spans are less than this, in bytes.
    static let limit: UInt64 = 4096
}
