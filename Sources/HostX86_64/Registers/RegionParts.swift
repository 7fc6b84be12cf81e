internal import Translator

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
