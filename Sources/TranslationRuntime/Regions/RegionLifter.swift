internal import Translator

/// Lifts the blocks of a region: those that a hot block leads to inside its page, calls included. In the next page they are those from which
/// the way leads back, and an instruction that lies in both pages.
struct RegionLifter {
    private let page: PageSnapshot
    private let frontEnd: any GuestFrontEnd
    /// Where jumps to anywhere go for sure.
    private var wanted: Int?
    /// Offsets where blocks begin, in the order in which they were found.
    private var leaders: [Int] = []
    private var known: Set<Int> = []
    /// The blocks, by address, and their numbers by their offsets.
    private var pieces: [LiftedBlock] = []
    private var numbers: [Int: Int] = [:]
    /// First and last blocks of loops. Compilers place a loop's blocks between its first one and the jump back.
    private var loopRanges: [ClosedRange<UInt64>] = []
    private var loops = LoopForest(successors: [])

    static let blockLimit = 96
    /// Instructions.
    static let sizeLimit = 1200
    private static let returnLimit = 4
    /// Blocks of the next page that are looked at.
    private static let nextPageLimit = 24

    init(page: PageSnapshot, frontEnd: any GuestFrontEnd) {
        self.page = page
        self.frontEnd = frontEnd
    }

    /// The bytes of the page, and of the next one, that the blocks were lifted from.
    var covered: (first: [Range<Int>], next: [Range<Int>]) {
        let size = TranslatedPage.size
        let all = pieces.map { piece in piece.offset..<piece.offset + piece.byteCount }
        let next = all.map { $0.clamped(to: size..<2 * size) }.filter { !$0.isEmpty }
        return (
            all.map { $0.clamped(to: 0..<size) }.filter { !$0.isEmpty },
            next.map { $0.lowerBound - size..<$0.upperBound - size }
        )
    }

    /// Whether blocks, other than those at the end of functions, jump to where nobody knows.
    var isOpen: Bool { pieces.contains { $0.block.jumpsAnywhere && !$0.isReturn } }

    /// The blocks, by address; none when there is nothing at `offset` to translate.
    ///
    /// - Parameter wanted: a block to which jumps to anywhere go.
    mutating func lift(from offset: Int, to wanted: Int? = nil) -> [GuestBlock] {
        self.wanted = wanted
        var found = discover(from: offset)
        keepWaysBack(in: &found)
        cut(found)
        guard let start = numbers[offset], !pieces[start].block.isBehindBorder else { return [] }
        loopRanges = pieces.filter { $0.returnAddress == nil }.flatMap { piece in
            piece.block.terminator.targets.filter { number(of: $0) != nil && $0 <= piece.block.address }
                .map { $0...piece.block.address }
        }
        weigh()
        linkReturns()
        divide()
        countCrossings()
        var blocks = pieces.map(\.block)
        SteadyBases.mark(&blocks, loops: loopRanges)
        return blocks
    }

    private mutating func discover(from offset: Int) -> [Int: LiftedBlock] {
        var found: [Int: LiftedBlock] = [:]
        known.insert(offset)
        leaders.append(offset)
        var next = 0
        var size = 0
        var isOpen = false
        while next < leaders.count, size < Self.sizeLimit {
            if let piece = liftBlock(leaders[next]) {
                found[leaders[next]] = piece
                size += piece.block.count
                // What a block calls in the next page is another function.
                let isCall = piece.returnAddress != nil
                for target in piece.block.terminator.targets { add(target, staysInPage: isCall) }
                if let address = piece.returnAddress { add(address) }
                // A jump by a table: the blocks that have run before are where it goes.
                if piece.block.jumpsAnywhere, !isOpen {
                    isOpen = true
                    if let wanted { add(page.base + UInt64(wanted)) }
                    for known in page.knownOffsets { add(page.base + UInt64(known)) }
                }
            }
            next += 1
        }
        // What was not looked at stays outside.
        leaders.removeSubrange(next...)
        return found
    }

    private mutating func add(_ target: UInt64, staysInPage: Bool = false) {
        guard let offset = offset(of: target), leaders.count < Self.blockLimit else { return }
        if offset >= TranslatedPage.size {
            let count = known.count { $0 >= TranslatedPage.size }
            guard !staysInPage, count < Self.nextPageLimit else { return }
        }
        if known.insert(offset).inserted { leaders.append(offset) }
    }

    /// Of the blocks in the next page, leaves those out from which no way leads back: what only goes on there is no part of a loop, and the
    /// next page's own code does as well.
    private mutating func keepWaysBack(in found: inout [Int: LiftedBlock]) {
        guard page.next != nil else { return }
        var kept = Set(found.keys.filter { $0 < TranslatedPage.size })
        var others = found.filter { $0.key >= TranslatedPage.size }
        var isChanged = true
        while isChanged {
            isChanged = false
            for (offset, piece) in others
            where piece.successors.contains(where: { self.offset(of: $0).map(kept.contains) ?? false }) {
                kept.insert(offset)
                others[offset] = nil
                isChanged = true
            }
        }
        found = found.filter { kept.contains($0.key) }
        leaders.removeAll { others[$0] != nil }
        known.subtract(others.keys)
    }

    /// The offset of an address in the page or the next one.
    private func offset(of address: UInt64) -> Int? {
        let offset = address &- page.base
        return offset < UInt64(page.size) ? Int(offset) : nil
    }

    private func liftBlock(_ start: Int) -> LiftedBlock? {
        frontEnd.lift(page, from: start) { known.contains($0) }
    }

    /// Ends blocks where others begin, now that all such places are known.
    private mutating func cut(_ found: [Int: LiftedBlock]) {
        for leader in leaders.sorted() {
            guard var piece = found[leader] else { continue }
            let end = leader + piece.byteCount
            if known.contains(where: { leader + 1..<end ~= $0 }), let shorter = liftBlock(leader) { piece = shorter }
            numbers[leader] = pieces.count
            pieces.append(piece)
        }
    }

    /// The number of the block at an address.
    private func number(of address: UInt64) -> Int? {
        offset(of: address).flatMap { numbers[$0] }
    }

    // MARK: Guesses

    /// Guesses how often blocks run: more inside of loops, and as often as their callers.
    private mutating func weigh() {
        for number in pieces.indices {
            let address = pieces[number].block.address
            let depth = min(loopRanges.count { $0.contains(address) }, 3)
            let samples = min(page.samples[pieces[number].offset] ?? 0, 64)
            pieces[number].block.weight = 1 << (3 * depth) + 512 * samples
        }
        for caller in pieces.indices {
            guard let function = callee(of: caller) else { continue }
            let weight = pieces[caller].block.weight
            for number in body(of: function) where pieces[number].block.weight < weight {
                pieces[number].block.weight = weight
            }
        }
    }

    private mutating func findLoops() {
        var successors = pieces.map { piece in
            (piece.returnAddress.map { [$0] } ?? piece.block.terminator.targets).compactMap { number(of: $0) }
        }
        // A jump by a table goes where nothing else goes.
        let known = Set(successors.joined())
        let others = pieces.indices.filter { !known.contains($0) }
        for (number, piece) in pieces.enumerated()
        where piece.block.jumpsAnywhere && piece.returnAddress == nil && !piece.isReturn {
            successors[number] += others
        }
        loops = LoopForest(successors: successors)
    }

    /// Tells the returns of functions inside the region where their calls inside the region are.
    private mutating func linkReturns() {
        // Whom a call by pointer calls is not known, so any return may go behind it.
        if pieces.contains(where: { $0.returnAddress != nil && $0.block.jumpsAnywhere }) {
            for number in pieces.indices where pieces[number].isReturn { pieces[number].block.jumpsAnywhere = true }
        }
        for caller in pieces.indices {
            guard let address = pieces[caller].returnAddress, let function = callee(of: caller) else { continue }
            for number in body(of: function)
            where pieces[number].isReturn && pieces[number].block.likelyTargets.count < Self.returnLimit {
                pieces[number].block.likelyTargets.append(address)
            }
        }
    }

    /// Tells the blocks which innermost loop or function they are of, and how often they go on in another one.
    private mutating func divide() {
        findLoops()
        var units: [Int?] = Array(repeating: nil, count: pieces.count)
        for caller in pieces.indices {
            guard let function = callee(of: caller), units[function] == nil else { continue }
            for number in body(of: function) where units[number] == nil { units[number] = Self.functionUnit + function }
        }
        for number in pieces.indices { units[number] = loops.innermost[number] ?? units[number] }
        for (number, piece) in pieces.enumerated() {
            pieces[number].block.unit = units[number] ?? Self.otherUnit
            var exits: [(UInt64, Int)] = []
            for target in piece.block.terminator.targets {
                guard let other = self.number(of: target), units[other] != units[number] else { continue }
                // From loop to loop it is as often as what is around them runs; else that is one of the two blocks.
                let isBetween =
                    piece.returnAddress == nil && !isInLoop(of: number, other) && !isInLoop(of: other, number)
                exits.append((target, lesserWeight(number, other) >> (isBetween ? 3 : 0)))
            }
            for target in piece.block.likelyTargets {
                guard let other = self.number(of: target), units[other] != units[number] else { continue }
                exits.append((target, lesserWeight(number, other)))
            }
            pieces[number].block.exits = exits
        }
    }

    /// Guesses how often each block leads out of the region. Branches out of it are rarely taken, since what a compiler expects is near.
    private mutating func countCrossings() {
        for (number, piece) in pieces.enumerated() {
            let weight = piece.block.weight
            let outside = piece.block.terminator.targets.count { self.number(of: $0) == nil }
            switch piece.block.terminator {
            case .jump: pieces[number].block.crossings = outside * weight
            case .branch, .branchFlag: pieces[number].block.crossings = outside * weight / 4
            case .indirect:
                if !piece.block.likelyTargets.isEmpty { continue }
                pieces[number].block.crossings = piece.block.jumpsAnywhere && !piece.isReturn ? weight / 2 : weight
            }
        }
    }

    private static let functionUnit = blockLimit * blockLimit
    private static let otherUnit = 2 * functionUnit

    private func lesserWeight(_ a: Int, _ b: Int) -> Int { min(pieces[a].block.weight, pieces[b].block.weight) }

    /// Whether a block is in the innermost loop of another one, if that is in one.
    private func isInLoop(of number: Int, _ other: Int) -> Bool {
        loops.innermost[number].map { loops.contains($0, other) } ?? true
    }

    /// The first block of the function that a block calls.
    private func callee(of caller: Int) -> Int? {
        guard pieces[caller].returnAddress != nil, case .jump(let target) = pieces[caller].block.terminator else {
            return nil
        }
        return number(of: target)
    }

    /// The blocks of a function: all that its first one leads to, without what it calls.
    private func body(of entry: Int) -> [Int] {
        var found = [entry]
        var isFound = Array(repeating: false, count: pieces.count)
        isFound[entry] = true
        var next = 0
        while next < found.count {
            let piece = pieces[found[next]]
            for target in piece.returnAddress.map({ [$0] }) ?? piece.block.terminator.targets {
                guard let number = number(of: target), !isFound[number] else { continue }
                isFound[number] = true
                found.append(number)
            }
            next += 1
        }
        return found
    }
}

extension LiftedBlock {
    /// Addresses that the block leads to; after a call also that of its return.
    fileprivate var successors: [UInt64] { block.terminator.targets + (returnAddress.map { [$0] } ?? []) }
}
