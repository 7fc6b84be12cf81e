internal import Translator

/// Which blocks of a region have the same slots in the same registers: those are a *part* of the region.
///
/// Loops and functions start as parts of their own, and are joined until all that are left save more uses of slots in memory
/// than they cost moves on the way from one to the other.
struct RegionPlan {
    /// The part of each block.
    private(set) var parts: [Int]
    /// The slots that each part has in registers.
    private(set) var choices: [RegisterChoice]

    static let partLimit = 4
    /// A part has to save one in so many of the region's guest instructions.
    private static let threshold = 48
    /// How many loads and stores on the way a saved use has to be worth, since nobody knows how often loops go round.
    private static let moveCost = 2

    /// - Parameter baseline: slots that baseline code has in registers.
    init(for blocks: [GuestBlock], memorySlot: Slot, baseline: [Slot]) {
        let least = blocks.reduce(0) { $0 + $1.weight * $1.count } / Self.threshold
        var joining = Joining(blocks, memorySlot: memorySlot, baseline: baseline)
        joining.joinSmall(least: least)
        var all = SlotUses(baseline: baseline)
        for group in joining.groups { all.add(group.uses) }
        let common = all.choose()
        parts = Array(repeating: 0, count: blocks.count)
        choices = [common]

        guard joining.groups.count > 1, common.cost - joining.cost > least else { return }
        joining.run(least: least)
        guard joining.groups.count > 1, common.cost - joining.cost - joining.movesCost > least else { return }
        let groups = joining.groups.sorted { ($0.weight, $1.blocks[0]) > ($1.weight, $0.blocks[0]) }
        for (part, group) in groups.enumerated() {
            for index in group.blocks { parts[index] = part }
        }
        choices = groups.map(\.choice)
    }

    /// The parts' assignments. As little as possible moves between a part and baseline code, or a part before it.
    func assignments(baseline: Assignment) -> [Assignment] {
        var result: [Assignment] = []
        for choice in choices { result.append(Assignment(choice, like: result + [baseline])) }
        return result
    }

    /// Blocks that may become a part.
    private struct Group {
        /// In ascending order.
        var blocks: [Int] = []
        var uses: SlotUses
        var choice = RegisterChoice()
        var weight = 0

        init(baseline: [Slot]) { uses = SlotUses(baseline: baseline) }
    }

    /// Joins groups step by step.
    private struct Joining {
        private(set) var groups: [Group] = []
        /// How often one goes from one group to another, in any direction.
        private var edges: [[Int]] = []

        init(_ blocks: [GuestBlock], memorySlot: Slot, baseline: [Slot]) {
            var numbers: [Int: Int] = [:]
            var groupOfBlock: [Int] = []
            for (index, block) in blocks.enumerated() {
                let number = numbers[block.unit] ?? groups.count
                if number == groups.count {
                    numbers[block.unit] = number
                    groups.append(Group(baseline: baseline))
                }
                groups[number].blocks.append(index)
                groups[number].uses.count(block, memorySlot: memorySlot)
                groups[number].weight += block.weight
                groupOfBlock.append(number)
            }
            edges = Array(repeating: Array(repeating: 0, count: groups.count), count: groups.count)
            countEdges(blocks, groupOfBlock)
        }

        private mutating func countEdges(_ blocks: [GuestBlock], _ groupOfBlock: [Int]) {
            let indices = blocks.indicesByAddress
            for (index, block) in blocks.enumerated() {
                let group = groupOfBlock[index]
                for exit in block.exits {
                    guard let target = indices[exit.target] else { continue }
                    addEdge(group, groupOfBlock[target], exit.weight)
                }
                guard block.jumpsAnywhere, block.likelyTargets.isEmpty else { continue }
                // It may go anywhere.
                for (other, target) in groups.enumerated() where other != group {
                    addEdge(group, other, block.weight * target.blocks.count / blocks.count)
                }
            }
        }

        private mutating func addEdge(_ a: Int, _ b: Int, _ weight: Int) {
            if a == b { return }
            edges[a][b] += weight
            edges[b][a] += weight
        }

        /// Uses that stay in memory if each group is a part.
        var cost: Int { groups.reduce(0) { $0 + $1.choice.cost } }

        /// The cost of the moves between groups.
        var movesCost: Int {
            var result = 0
            for a in groups.indices {
                for b in groups.indices.prefix(a) where edges[a][b] > 0 { result += moves(a, b) }
            }
            return result
        }

        private func moves(_ a: Int, _ b: Int) -> Int {
            RegionPlan.moveCost * edges[a][b] * groups[a].choice.moves(to: groups[b].choice)
        }

        /// Joins groups that cannot save much with the ones that they lead to most often, and chooses registers for the others.
        mutating func joinSmall(least: Int) {
            for index in groups.indices.reversed() where index > 0 && groups[index].uses.total < least / 4 {
                let others = groups.indices.filter { $0 != index }
                guard let other = others.max(by: { edges[index][$0] < edges[index][$1] }) else { break }
                join(min(index, other), max(index, other))
            }
            for index in groups.indices { groups[index].choice = groups[index].uses.choose() }
        }

        /// - Parameter least: uses that a part has to save.
        mutating func run(least: Int) {
            // What joining two groups gains; nil where that has to be computed.
            var gains = Array(repeating: Array(repeating: Int?.none, count: groups.count), count: groups.count)
            while groups.count > 1 {
                var best: (gain: Int, a: Int, b: Int)?
                // First those that lead to each other, since what has nothing in common has nothing to lose either.
                for isConnected in [true, false] where best == nil || best?.gain ?? 0 <= 0 {
                    for b in groups.indices {
                        for a in groups.indices.prefix(b) where (edges[a][b] > 0) == isConnected {
                            let gain = gains[a][b] ?? gain(a, b, least: least)
                            gains[a][b] = gain
                            if gain > best?.gain ?? .min { best = (gain, a, b) }
                        }
                    }
                }
                guard let best, best.gain > 0 || groups.count > RegionPlan.partLimit else { return }
                join(best.a, best.b)
                groups[best.a].choice = groups[best.a].uses.choose()
                gains.remove(at: best.b)
                for index in gains.indices { gains[index].remove(at: best.b) }
                for index in gains.indices {
                    gains[index][best.a] = nil
                    gains[best.a][index] = nil
                }
            }
        }

        private func gain(_ a: Int, _ b: Int, least: Int) -> Int {
            var uses = groups[a].uses
            uses.add(groups[b].uses)
            return groups[a].choice.cost + groups[b].choice.cost + moves(a, b) + least - uses.choose().cost
        }

        /// Makes `b` a part of `a`, which comes before it.
        private mutating func join(_ a: Int, _ b: Int) {
            let other = groups.remove(at: b)
            groups[a].blocks = (groups[a].blocks + other.blocks).sorted()
            groups[a].uses.add(other.uses)
            groups[a].weight += other.weight
            for index in edges.indices {
                edges[a][index] += edges[b][index]
                edges[index][a] = edges[a][index]
            }
            edges[a][a] = 0
            edges.remove(at: b)
            for index in edges.indices { edges[index].remove(at: b) }
        }
    }
}
