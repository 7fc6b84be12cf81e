/// Finds slots that a loop's accesses take their addresses from and that stay in a page for long: the loop adds small constants
/// to them, or neither it nor a loop around it changes them.
package enum SteadyBases {
    /// The most that a turn of a loop may add at once.
    private static let step = 64
    /// The most steady bases that a region has.
    package static let limit = 8

    /// Tells the blocks of a region their steady bases.
    ///
    /// - Parameter loops: first and last block of each loop, which holds all blocks in between.
    package static func mark(_ blocks: inout [GuestBlock], loops: [ClosedRange<UInt64>]) {
        let loops = Set(loops).sorted { ($0.count, $0.lowerBound) < ($1.count, $1.lowerBound) }
            .map { range in Loop(range, blocks.filter { range.contains($0.address) }) }
        var steady = Array(repeating: [Slot](), count: blocks.count)
        var weights: [Slot: Int] = [:]
        for (index, block) in blocks.enumerated() {
            let around = loops.filter { $0.range.contains(block.address) }
            guard let innermost = around.first else { continue }
            for base in block.steps.compactMap(\.statement.accessBase) where !innermost.moves(base) {
                guard innermost.stepped.contains(base) || !around.contains(where: { $0.moves(base) }) else { continue }
                weights[base, default: 0] += block.weight
                if !steady[index].contains(base) { steady[index].append(base) }
            }
        }
        let most = weights.sorted { ($0.value, $1.key.index) > ($1.value, $0.key.index) }
            .prefix(limit).map(\.key)
        for index in blocks.indices {
            blocks[index].steadyBases = most.enumerated().filter { steady[index].contains($0.element) }
                .map { ($0.element, $0.offset) }
        }
    }

    private struct Loop {
        let range: ClosedRange<UInt64>
        /// Slots that small constants are added to.
        private(set) var stepped = SlotSet()
        private var moved = SlotSet()
        private var movesAll = false

        init(_ range: ClosedRange<UInt64>, _ blocks: [GuestBlock]) {
            self.range = range
            for step in blocks.lazy.flatMap(\.steps) {
                switch step.statement {
                case .helper: movesAll = true
                case .binary(.add, .bits64, let slot, .slot(let old), .constant(let value))
                where slot == old && Int64(bitPattern: value).magnitude <= SteadyBases.step:
                    stepped.insert(slot)
                default:
                    if let slot = step.statement.destination ?? step.statement.floatDestination { moved.insert(slot) }
                }
            }
        }

        /// Whether the loop may change a slot in another way than by a small step.
        func moves(_ slot: Slot) -> Bool { movesAll || moved.contains(slot) }
    }
}
