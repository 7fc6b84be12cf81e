internal import Translator

// The parts of a region, each with registers of its own, and the ways from one to the other.
extension Generator {
    /// Chooses the parts, and writes the pieces and the jump table of each.
    mutating func makeParts(for blocks: [GuestBlock]) {
        let plan = RegionPlan(for: blocks, memorySlot: layout.firstMemorySlot, baseline: layout.pinned)
        parts = RegionParts(ofBlocks: plan.parts)
        for assignment in plan.assignments(baseline: baseline) {
            self.assignment = assignment
            makeRegionPieces()
            let table = makeTable(for: blocks, part: parts.all.count)
            parts.all.append(RegionParts.Part(assignment: assignment, pieces: pieces, table: table))
        }
        makeMoves()
    }

    /// Writes functions for the ways that take many moves.
    private mutating func makeMoves() {
        for from in parts.all.indices {
            for to in parts.all.indices where to != from {
                let moves = Moves(from: parts.all[from].assignment, to: parts.all[to].assignment)
                parts.all[from].functions[to] = assembler.position
                emit(moves)
                assembler.ret()
                parts.all[from].moves[to] = moves
            }
        }
    }

    mutating func begin(part: Int) {
        parts.present = part
        assignment = parts.all[part].assignment
        pieces = parts.all[part].pieces
        table = parts.all[part].table
        sharing.registerCount = assignment.shared
    }

    /// Begins a block, or its gate. In baseline code all are the same.
    mutating func beginBlock(_ index: Int) {
        guard !parts.all.isEmpty else { return }
        parts.firstStubs[index] = parts.firstStubs[index] ?? stubs.count
        begin(part: parts.ofBlocks[index])
    }

    /// Begins a stub, after the blocks.
    mutating func beginStub(_ index: Int) {
        while let next = parts.nextStub, next.first <= index {
            begin(part: next.part)
            parts.stubBlock += 1
        }
    }

    /// Comes from the present part to that of a block. Uses rax and xmm0.
    mutating func emitMoves(toPartOf block: Int) {
        guard parts.isOther(block), let moves = parts.all[parts.present].moves[parts.ofBlocks[block]] else { return }
        if moves.count > Self.inlineMoves { return callMoves(toPartOf: block) }
        emit(moves)
    }

    /// The same in little space.
    mutating func callMoves(toPartOf block: Int) {
        guard parts.isOther(block), let function = parts.all[parts.present].functions[parts.ofBlocks[block]] else {
            return
        }
        assembler.call(function)
    }

    /// More than so many moves are a function.
    static let inlineMoves = 12

    private mutating func emit(_ moves: Moves) {
        for (slot, register) in moves.storedIntegers { assembler.store(address(of: slot), register, bytes: 8) }
        for (slot, vector) in moves.storedFloats { assembler.storeFloat(.double, address(of: slot), vector) }
        for move in moves.integers { assembler.copy(move.target, move.source) }
        for move in moves.floats { assembler.copy(move.target, move.source) }
        for (slot, register) in moves.loadedIntegers { assembler.move(register, .memory(address(of: slot))) }
        for (slot, vector) in moves.loadedFloats { assembler.loadFloat(.double, vector, .memory(address(of: slot))) }
    }
}
