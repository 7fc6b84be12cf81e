internal import Translator

/// Lifts what a hot block leads to inside its page, calls included, to the blocks of a region.
struct RegionLifter {
    private let page: PageSnapshot
    private let features: HostFeatures
    /// The bytes that the blocks were lifted from.
    private(set) var covered: [Range<Int>] = []
    /// Whether blocks, other than those at the end of functions, jump to where nobody knows.
    var isOpen: Bool { pieces.values.contains { $0.block.jumpsAnywhere && !$0.isReturn } }
    /// Where jumps to anywhere go for sure.
    private var wanted: Int?
    /// Offsets where blocks begin, in the order in which they were found.
    private var leaders: [Int] = []
    private var known: Set<Int> = []
    private var pieces: [Int: LiftedBlock] = [:]
    /// Among the blocks by their offsets.
    private var loops = LoopForest(successors: [])
    private var numbers: [Int: Int] = [:]

    static let blockLimit = 96
    /// Instructions.
    static let sizeLimit = 1200
    private static let returnLimit = 4

    init(page: PageSnapshot, features: HostFeatures) {
        self.page = page
        self.features = features
    }

    /// The blocks, by address; none when there is nothing at `offset` to translate.
    ///
    /// - Parameter wanted: a block to which jumps to anywhere go.
    mutating func lift(from offset: Int, to wanted: Int? = nil) -> [GuestBlock] {
        self.wanted = wanted
        discover(from: offset)
        // Now all places are known where a block has to end.
        pieces.removeAll()
        for leader in leaders { pieces[leader] = liftBlock(leader) }
        guard pieces[offset] != nil else { return [] }
        weigh()
        linkReturns()
        divide()
        var blocks = pieces.sorted { $0.key < $1.key }.map { start, piece in
            covered.append(start..<start + piece.byteCount)
            return piece.block
        }
        SteadyBases.mark(&blocks, loops: loopRanges)
        return blocks
    }

    private mutating func discover(from offset: Int) {
        known.insert(offset)
        leaders.append(offset)
        var next = 0
        var size = 0
        while next < leaders.count, size < Self.sizeLimit {
            if let piece = liftBlock(leaders[next]) {
                size += piece.block.count
                for target in piece.successors { add(target) }
                // A jump by a table: the blocks that have run before are where it goes.
                if piece.block.jumpsAnywhere {
                    if let wanted { add(page.base + UInt64(wanted)) }
                    for known in page.knownOffsets { add(page.base + UInt64(known)) }
                }
            }
            next += 1
        }
        // What was not looked at stays outside.
        leaders.removeSubrange(next...)
    }

    private mutating func add(_ target: UInt64) {
        guard target & ~0xFFF == page.base, leaders.count < Self.blockLimit else { return }
        let offset = Int(target & 0xFFF)
        if known.insert(offset).inserted { leaders.append(offset) }
    }

    private func liftBlock(_ start: Int) -> LiftedBlock? {
        LiftedBlock(page, from: start, features: features) { known.contains($0) }
    }

    // MARK: Guesses

    /// First and last blocks of loops. Compilers place a loop's blocks between its first one and the jump back.
    private var loopRanges: [ClosedRange<UInt64>] {
        pieces.values.filter { $0.returnAddress == nil }.flatMap { piece in
            piece.block.terminator.targets.filter { target in
                target & ~0xFFF == page.base && target <= piece.block.address && pieces[Int(target & 0xFFF)] != nil
            }.map { $0...piece.block.address }
        }
    }

    /// Guesses how often blocks run: more inside of loops, and as often as their callers.
    private mutating func weigh() {
        let ranges = loopRanges
        for offset in pieces.keys {
            let address = page.base + UInt64(offset)
            let depth = min(ranges.count { $0.contains(address) }, 3)
            pieces[offset]?.block.weight = 1 << (3 * depth) + 512 * min(page.samples[offset] ?? 0, 64)
        }
        for (caller, piece) in pieces.sorted(by: { $0.key < $1.key }) where piece.returnAddress != nil {
            guard case .jump(let target) = piece.block.terminator else { continue }
            let weight = pieces[caller]?.block.weight ?? 1
            for offset in body(of: target) {
                if let own = pieces[offset]?.block.weight, own < weight { pieces[offset]?.block.weight = weight }
            }
        }
    }

    private mutating func findLoops() {
        let offsets = pieces.keys.sorted()
        for (number, offset) in offsets.enumerated() { numbers[offset] = number }
        var successors = offsets.map { offset in
            guard let piece = pieces[offset] else { return [Int]() }
            let targets = piece.returnAddress.map { [$0] } ?? piece.block.terminator.targets
            return targets.compactMap { $0 & ~0xFFF == page.base ? numbers[Int($0 & 0xFFF)] : nil }
        }
        // A jump by a table goes where nothing else goes.
        let known = Set(successors.joined())
        let others = offsets.indices.filter { !known.contains($0) }
        for (number, offset) in offsets.enumerated() {
            if let piece = pieces[offset], piece.block.jumpsAnywhere, piece.returnAddress == nil, !piece.isReturn {
                successors[number] += others
            }
        }
        loops = LoopForest(successors: successors)
    }

    /// Tells the returns of functions inside the region where their calls inside the region are.
    private mutating func linkReturns() {
        // Whom a call by pointer calls is not known, so any return may go behind it.
        if pieces.values.contains(where: { $0.returnAddress != nil && $0.block.jumpsAnywhere }) {
            for (offset, piece) in pieces where piece.isReturn { pieces[offset]?.block.jumpsAnywhere = true }
        }
        for (_, piece) in pieces.sorted(by: { $0.key < $1.key }) {
            guard let address = piece.returnAddress, case .jump(let target) = piece.block.terminator else { continue }
            for offset in body(of: target) where pieces[offset]?.isReturn == true {
                guard let count = pieces[offset]?.block.likelyTargets.count, count < Self.returnLimit else { continue }
                pieces[offset]?.block.likelyTargets.append(address)
            }
        }
    }

    /// Tells the blocks which innermost loop or function they are of, and how often they go on in another one.
    private mutating func divide() {
        findLoops()
        var units: [Int: Int] = [:]
        for (_, piece) in pieces.sorted(by: { $0.key < $1.key }) where piece.returnAddress != nil {
            guard case .jump(let target) = piece.block.terminator, target & ~0xFFF == page.base else { continue }
            let entry = Int(target & 0xFFF)
            if units[entry] != nil { continue }
            for offset in body(of: target) where units[offset] == nil { units[offset] = Self.functionUnit + entry }
        }
        for (offset, number) in numbers { if let loop = loops.innermost[number] { units[offset] = loop } }
        for (offset, piece) in pieces {
            pieces[offset]?.block.unit = units[offset] ?? Self.otherUnit
            var exits: [(UInt64, Int)] = []
            for target in localTargets(piece) where units[target] != units[offset] {
                // From loop to loop it is as often as what is around them runs; else that is one of the two blocks.
                let isBetween =
                    piece.returnAddress == nil && !isInLoop(of: offset, target) && !isInLoop(of: target, offset)
                exits.append((page.base + UInt64(target), lesserWeight(offset, target) >> (isBetween ? 3 : 0)))
            }
            for target in piece.block.likelyTargets.map({ Int($0 & 0xFFF) }) where units[target] != units[offset] {
                exits.append((page.base + UInt64(target), lesserWeight(offset, target)))
            }
            pieces[offset]?.block.exits = exits
        }
    }

    private static let functionUnit = TranslatedPage.size
    private static let otherUnit = 2 * TranslatedPage.size

    private func lesserWeight(_ a: Int, _ b: Int) -> Int {
        min(pieces[a]?.block.weight ?? 0, pieces[b]?.block.weight ?? 0)
    }

    /// Whether a block is in the innermost loop of another one, if that is in one.
    private func isInLoop(of offset: Int, _ other: Int) -> Bool {
        guard let number = numbers[offset], let loop = loops.innermost[number], let other = numbers[other] else {
            return true
        }
        return loops.contains(loop, other)
    }

    /// The offsets of the region's blocks that a block's end leads to.
    private func localTargets(_ piece: LiftedBlock) -> [Int] {
        piece.block.terminator.targets.filter { $0 & ~0xFFF == page.base && pieces[Int($0 & 0xFFF)] != nil }
            .map { Int($0 & 0xFFF) }
    }

    /// The offsets of the blocks of a function: all that its first one leads to, without what it calls.
    private func body(of entry: UInt64) -> Set<Int> {
        var found: Set<Int> = []
        var waiting = [entry]
        while let address = waiting.popLast() {
            guard address & ~0xFFF == page.base, let piece = pieces[Int(address & 0xFFF)],
                found.insert(Int(address & 0xFFF)).inserted
            else { continue }
            if let next = piece.returnAddress {
                waiting.append(next)
            } else {
                waiting += piece.block.terminator.targets
            }
        }
        return found
    }
}

extension LiftedBlock {
    /// Addresses that the block leads to; after a call also that of its return.
    fileprivate var successors: [UInt64] { block.terminator.targets + (returnAddress.map { [$0] } ?? []) }
}

extension Terminator {
    /// The addresses that are known.
    var targets: [UInt64] {
        switch self {
        case .jump(let target): [target]
        // What follows in memory comes first.
        case .branch(_, _, _, let taken, let next): [next, taken]
        case .indirect: []
        }
    }
}
