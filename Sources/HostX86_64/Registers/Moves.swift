internal import Translator

/// The moves that bring slots from their places in one assignment to those in another assignment: all stores, then moves
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
