// The parts of a region, each with registers of its own, and the ways from one to the other.
extension Generator {
    /// Chooses the parts, and writes what each of them needs.
    mutating func makeParts(for blocks: [GuestBlock]) {
        let plan = RegionPlan(for: blocks, memorySlot: layout.firstMemorySlot)
        parts = RegionParts(ofBlocks: plan.parts)
        for assignment in plan.assignments(standard: standard) {
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

    /// Begins a block, or its gate. In standard code all are the same.
    mutating func beginBlock(_ index: Int) {
        guard !parts.all.isEmpty else { return }
        parts.firstStubs[index] = parts.firstStubs[index] ?? stubs.count
        begin(part: parts.ofBlocks[index])
    }

    /// Begins a stub of what comes after the blocks.
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
    private static let inlineMoves = 12

    private mutating func emit(_ moves: Moves) {
        for (slot, register) in moves.storedIntegers { assembler.store(address(of: slot), register, bytes: 8) }
        for (slot, vector) in moves.storedFloats { assembler.storeFloat(.double, address(of: slot), vector) }
        for move in moves.integers { assembler.copy(move.target, move.source) }
        for move in moves.floats { assembler.copy(move.target, move.source) }
        for (slot, register) in moves.loadedIntegers { assembler.move(register, .memory(address(of: slot))) }
        for (slot, vector) in moves.loadedFloats { assembler.loadFloat(.double, vector, .memory(address(of: slot))) }
    }
}

/// The parts of a region while it is being translated.
struct RegionParts {
    struct Part {
        let assignment: Assignment
        let pieces: Pieces
        let table: JumpTable?
        /// The ways to other parts, and the positions of functions for them.
        var moves: [Int: Moves] = [:]
        var functions: [Int: Int] = [:]

        init(assignment: Assignment, pieces: Pieces, table: JumpTable?) {
            self.assignment = assignment
            self.pieces = pieces
            self.table = table
        }
    }

    /// The part of each block.
    let ofBlocks: [Int]
    var all: [Part] = []
    /// The part that code is generated for.
    var present = 0
    /// The number of each block's first stub.
    var firstStubs: [Int?]
    /// The block whose stubs come next.
    var stubBlock = 0

    init(ofBlocks: [Int] = []) {
        self.ofBlocks = ofBlocks
        firstStubs = Array(repeating: nil, count: ofBlocks.count)
    }

    /// Whether a block is of another part than the present one.
    func isOther(_ block: Int) -> Bool { all.count > 1 && ofBlocks[block] != present }

    /// From which stub on they are of another block, and that one's part.
    var nextStub: (first: Int, part: Int)? {
        guard !all.isEmpty, stubBlock < ofBlocks.count, let first = firstStubs[stubBlock] else { return nil }
        return (first, ofBlocks[stubBlock])
    }
}

/// What it takes to bring slots from where they are in one assignment to where another one has them: all stores, then moves
/// between registers, then loads.
struct Moves {
    private(set) var storedIntegers: [(slot: Slot, register: Register)] = []
    private(set) var storedFloats: [(slot: Slot, vector: Vector)] = []
    /// One after the other.
    private(set) var integers: [(source: Register, target: Register)] = []
    private(set) var floats: [(source: Vector, target: Vector)] = []
    private(set) var loadedIntegers: [(slot: Slot, register: Register)] = []
    private(set) var loadedFloats: [(slot: Slot, vector: Vector)] = []

    init(from: Assignment, to: Assignment) {
        for (slot, register) in from.integers {
            if let target = to.register(of: slot) {
                if target != register { integers.append((register, target)) }
            } else {
                storedIntegers.append((slot, register))
            }
        }
        for (slot, vector) in from.floats {
            if let target = to.vector(of: slot) {
                if target != vector { floats.append((vector, target)) }
            } else {
                storedFloats.append((slot, vector))
            }
        }
        loadedIntegers = to.integers.filter { from.register(of: $0.slot) == nil }
        loadedFloats = to.floats.filter { from.vector(of: $0.slot) == nil }
        integers = Self.inSequence(integers, scratch: .rax)
        floats = Self.inSequence(floats, scratch: .xmm0)
    }

    var count: Int {
        storedIntegers.count + storedFloats.count + integers.count + floats.count + loadedIntegers.count
            + loadedFloats.count
    }

    /// Puts moves that are meant at once, with all sources and all targets different, into an order that does the same one by
    /// one.
    private static func inSequence<Place: Equatable>(
        _ moves: [(source: Place, target: Place)], scratch: Place
    ) -> [(source: Place, target: Place)] {
        var waiting = moves
        var result: [(source: Place, target: Place)] = []
        while let last = waiting.last {
            // A target that nobody waits to read can be written.
            if let index = waiting.firstIndex(where: { move in !waiting.contains { $0.source == move.target } }) {
                result.append(waiting.remove(at: index))
            } else {
                // All that are left are circles.
                result.append((last.source, scratch))
                waiting[waiting.count - 1].source = scratch
            }
        }
        return result
    }
}
