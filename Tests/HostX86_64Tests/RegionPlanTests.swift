import Testing
import Translator

@testable import HostX86_64

/// Which blocks of a region have registers of their own, and the ways from some to others.
@Suite struct RegionPlanTests {
    /// A block of additions to each of ten slots.
    private func block(_ number: Int, firstSlot: UInt8, weight: Int, exits: [(Int, Int)]) -> GuestBlock {
        let address = UInt64(0x1000 + 0x100 * number)
        let steps = (0..<10).map { index in
            let slot = Slot(firstSlot + UInt8(index))
            return Step(.binary(.add, .bits64, slot, .slot(slot), .constant(1)), number: index, address: address)
        }
        var block = GuestBlock(address: address, steps: steps, terminator: .jump(0), count: 11)
        block.unit = number
        block.weight = weight
        block.exits = exits.map { (UInt64(0x1000 + 0x100 * $0), $1) }
        return block
    }

    private func parts(_ blocks: [GuestBlock]) -> [Int] {
        RegionPlan(for: blocks, memorySlot: Slot(200), baseline: []).parts
    }

    @Test func loopsWithSlotsOfTheirOwnAreParts() {
        let blocks = [
            block(0, firstSlot: 0, weight: 512, exits: [(1, 64)]), block(1, firstSlot: 20, weight: 512, exits: []),
        ]
        let plan = RegionPlan(for: blocks, memorySlot: Slot(200), baseline: [])
        #expect(plan.parts == [0, 1])
        #expect(plan.choices.map { $0.integers.map(\.index) } == [Array(0..<10), Array(20..<30)])
        #expect(plan.choices.map(\.cost) == [0, 0])
    }

    @Test func loopsThatOneOftenGoesBetweenAreOnePart() {
        let blocks = [
            block(0, firstSlot: 0, weight: 512, exits: [(1, 512)]), block(1, firstSlot: 20, weight: 512, exits: []),
        ]
        #expect(parts(blocks) == [0, 0])
    }

    @Test func loopsOfTheSameSlotsAreOnePart() {
        let blocks = (0..<3).map { block($0, firstSlot: 0, weight: 512, exits: []) }
        #expect(parts(blocks) == [0, 0, 0])
    }

    @Test func aJumpToAnywhereCountsForAllBlocks() {
        var blocks = [
            block(0, firstSlot: 0, weight: 512, exits: []), block(1, firstSlot: 20, weight: 512, exits: []),
        ]
        blocks[1].jumpsAnywhere = true
        #expect(parts(blocks) == [0, 0])
    }

    @Test func thereAreAtMostFourParts() {
        let blocks = (0..<8).map { block($0, firstSlot: UInt8(20 * $0), weight: 512 - $0, exits: []) }
        #expect(Set(parts(blocks)) == [0, 1, 2, 3])
    }

    @Test func whatRunsRarelyIsNoPart() {
        let blocks = [
            block(0, firstSlot: 0, weight: 512, exits: []), block(1, firstSlot: 20, weight: 512, exits: []),
            block(2, firstSlot: 40, weight: 8, exits: [(1, 8)]),
        ]
        #expect(parts(blocks) == [1, 0, 0])
    }

    /// Each of the block's slots is used twice; a register for it would be loaded and stored on the way in and out.
    @Test(arguments: [0, 1])
    func aRegionThatOneOftenLeavesHasTheRegistersOfBaselineCode(crossings: Int) {
        var blocks = [block(0, firstSlot: 20, weight: 1, exits: [])]
        blocks[0].crossings = crossings
        let plan = RegionPlan(for: blocks, memorySlot: Slot(200), baseline: (0..<10).map { Slot($0) })
        let expected: [UInt8] = crossings == 0 ? Array(20..<30) : Array(0..<10)
        #expect(plan.choices.map { $0.integers.map(\.index).sorted() } == [expected])
    }

    @Test func aPartsSlotsStayWhereTheOnesBeforeHaveThem() {
        var (first, second) = (RegisterChoice(), RegisterChoice())
        for index in [1, 2, 3] as [UInt8] { first.addInteger(Slot(index)) }
        for index in [4, 3, 2] as [UInt8] { second.addInteger(Slot(index)) }
        let one = Assignment(first, like: [])
        let other = Assignment(second, like: [one])
        #expect(other.register(of: Slot(2)) == one.register(of: Slot(2)))
        #expect(other.register(of: Slot(3)) == one.register(of: Slot(3)))
        #expect(other.register(of: Slot(4)) != nil && other.register(of: Slot(1)) == nil)
        #expect(first.moves(to: second) == 2)
    }

    @Test func movesBringEachSlotFromItsPlaceToTheOtherOne() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<500 {
            let from = randomAssignment(&generator)
            let to = randomAssignment(&generator)
            var machine = Machine(from)
            machine.run(Moves(from: from, to: to))
            for slot in (0..<40).map({ Slot($0) }) {
                let place = machine.value(of: slot, to)
                #expect(place == Int(slot.index), "slot \(slot.index)")
            }
        }
    }

    private func randomAssignment(_ generator: inout SystemRandomNumberGenerator) -> Assignment {
        var assignment = Assignment()
        var slots = (0..<40).map { Slot($0) }.shuffled(using: &generator)
        for register in HostRegisters.pinned.shuffled(using: &generator) where Bool.random(using: &generator) {
            assignment.assign(slots.removeLast(), register)
        }
        for vector in HostRegisters.vectors.shuffled(using: &generator) where Bool.random(using: &generator) {
            assignment.assign(slots.removeLast(), vector)
        }
        return assignment
    }

    /// What is where: each slot's value is its index.
    private struct Machine {
        private var memory: [Slot: Int] = [:]
        private var registers: [Register: Int] = [:]
        private var vectors: [Vector: Int] = [:]

        init(_ assignment: Assignment) {
            for slot in (0..<40).map({ Slot($0) }) {
                if let register = assignment.register(of: slot) {
                    registers[register] = Int(slot.index)
                } else if let vector = assignment.vector(of: slot) {
                    vectors[vector] = Int(slot.index)
                } else {
                    memory[slot] = Int(slot.index)
                }
            }
        }

        mutating func run(_ moves: Moves) {
            for (slot, register) in moves.storedIntegers { memory[slot] = registers[register] }
            for (slot, vector) in moves.storedFloats { memory[slot] = vectors[vector] }
            for move in moves.integers { registers[move.target] = registers[move.source] }
            for move in moves.floats { vectors[move.target] = vectors[move.source] }
            for (slot, register) in moves.loadedIntegers { registers[register] = memory[slot] }
            for (slot, vector) in moves.loadedFloats { vectors[vector] = memory[slot] }
        }

        func value(of slot: Slot, _ assignment: Assignment) -> Int? {
            if let register = assignment.register(of: slot) { return registers[register] }
            if let vector = assignment.vector(of: slot) { return vectors[vector] }
            return memory[slot]
        }
    }
}
