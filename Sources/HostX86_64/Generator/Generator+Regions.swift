package import Translator

// Regions: blocks that run often, compiled together with registers of their own.
extension Generator {
    /// Translates blocks into a region. Jumps between them are direct, and everything else leaves the region through the
    /// jump cache.
    package mutating func translateRegion(_ blocks: [GuestBlock], border: PageBorder?) -> TranslatedRegion {
        self.border = border
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
            if blocks[index].isBehindBorder {
                gates.append(start)
                entries.append(start)
                continue
            }
            beginBlock(index)
            let way = ways[index] ?? emitEntry()
            if ways[index] == nil { assembler.jump(to: start) }
            gates.append(way.gate)
            entries.append(way.entry)
        }
        for landing in landings { assembler.link(landing.site, to: gates[landing.block]) }
        return TranslatedRegion(entries: entries, gates: gates, end: assembler.position)
    }

    // MARK: Jumps to anywhere in a region

    /// Room for a table when a part has jumps for it and the region's blocks do not lie too far apart.
    mutating func makeTable(for blocks: [GuestBlock], part: Int) -> JumpTable? {
        let needsTable = blocks.indices.contains { blocks[$0].jumpsAnywhere && parts.ofBlocks[$0] == part }
        let targets = blocks.filter { !$0.isBehindBorder }.map(\.address)
        guard needsTable, let first = targets.min(), let last = targets.max(),
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
            for (index, block) in blocks.enumerated() where !block.isBehindBorder {
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
    mutating func emitJump(through table: JumpTable, isReturn: Bool) {
        assembler.move(.rcx, value: 0 &- table.first)
        assembler.arithmetic(.add, .rcx, .register(.rax))
        if isRelative { assembler.arithmetic(.sub, .rcx, .memory(state(layout.codePage))) }
        if table.alignment == 2 { assembler.shift(.right, .register(.rcx), by: 1) }
        assembler.arithmetic(.cmp, .register(.rcx), Int32(table.count - 1))
        let outside = assembler.jump(.above)
        assembler.link(assembler.loadAddressOfPosition(.rdx), to: table.position)
        assembler.arithmetic(.add, .rdx, .memory(Address(.rdx, index: .rcx, scale: 3)))
        assembler.jump(.register(.rdx))
        assembler.linkHere(outside)
        if table.alignment == 2 { assembler.arithmetic(.and, .register(.rax), -2) }
        if !isReturn { noteReturn(landing) }
        leave(isReturn: isReturn)
    }

    // MARK: In and out

    /// Begins the way into a region at a block of the present part.
    mutating func emitEntry() -> RegionEntry {
        let gate = isRelative ? emitPageEntry() : assembler.position
        // There is room for the jump by which `CodeCache.redirect` replaces the first instruction.
        assembler.keepTogether(5, alignment: Assembler.patchSize)
        let entry = assembler.position
        if hasManyMoves {
            assembler.call(pieces.enterRegion)
        } else {
            assembler.noOperation(5)
            enterRegion()
        }
        return RegionEntry(gate: gate, entry: entry)
    }

    /// Goes on at the guest address in rax in baseline code.
    mutating func leave(isReturn: Bool) {
        if let lookup = pieces.lookup, hasManyMoves {
            return assembler.jump(to: isReturn ? pieces.lookupReturn : lookup)
        }
        if isReturn { emitReturn { $0.leaveRegion() } }
        if isReturn, let lookup = pieces.lookup { return assembler.jump(to: lookup) }
        leaveRegion()
        emitLookup()
    }

    /// Brings the slots to where baseline code has them.
    mutating func leaveRegion() {
        for (slot, register) in assignment.integers where baseline.register(of: slot) != register {
            assembler.store(address(of: slot), register, bytes: 8)
        }
        for (slot, vector) in assignment.floats { assembler.storeFloat(.double, address(of: slot), vector) }
        for (slot, register) in baseline.integers where assignment.register(of: slot) != register {
            assembler.move(register, .memory(address(of: slot)))
        }
    }

    /// Brings the slots from where baseline code has them.
    mutating func enterRegion() {
        for (slot, register) in baseline.integers where assignment.register(of: slot) != register {
            assembler.store(address(of: slot), register, bytes: 8)
        }
        for (slot, register) in assignment.integers where baseline.register(of: slot) != register {
            assembler.move(register, .memory(address(of: slot)))
        }
        for (slot, vector) in assignment.floats { assembler.loadFloat(.double, vector, .memory(address(of: slot))) }
    }

    /// Whether the way in or out takes so many moves that it is a function.
    var hasManyMoves: Bool {
        let integers = assignment.integers.count { baseline.register(of: $0.slot) != $0.register }
        let others = baseline.integers.count { assignment.register(of: $0.slot) != $0.register }
        return integers + others + assignment.floats.count > Self.inlineMoves
    }
}

/// Where a block of a region is entered from outside: with its guest address in rax, and by baseline code of the same page.
struct RegionEntry: Sendable {
    let gate: Int
    let entry: Int
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
