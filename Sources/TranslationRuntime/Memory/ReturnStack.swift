internal import Glibc
internal import Translator

/// Where the functions that run return to, and the code there: generated code finds most returns without the jump cache.
///
/// It is a guess. A call that leaves generated code of its page notes its return; a return that is to another address goes on by the
/// jump cache, and takes nothing off. There is a ring for each set of the jump cache, and an entry is valid as long as the set's tag.
struct ReturnStack: ~Copyable {
    private struct Entry {
        /// The guest address, or an odd one.
        var address: UInt64
        var code: UInt
    }

    private static let count = StateLayout.JumpLayout.returnCount
    /// No instruction begins here where instructions are aligned; only such guests' code reads the ring.
    private static let none = Entry(address: 1, code: 0)

    private let memory: UnsafeMutableRawPointer
    private var tops: [UnsafeMutableRawPointer]
    private var currentSet = 0
    /// The last entry of the set in use. Generated code reads and writes it, by `StateLayout.JumpLayout`.
    var top: UnsafeMutableRawPointer

    /// Offsets in multiples of 2048 bytes where rings are. Processors take a load for one of what was stored just before when the low 12
    /// bits of both addresses are equal, and wait: so no field of the state that jumps load is at such an address.
    static let places = 1024..<1024 + count * MemoryLayout<Entry>.stride
    private static let stride = 2048

    init(setCount: Int) {
        // One bit of an address, half of the alignment of each ring, tells where the ring ends.
        guard let memory = aligned_alloc(4096, (setCount + 1) / 2 * 4096) else {
            fatalError("no memory for a processor's caches")
        }
        self.memory = memory
        tops = (0..<setCount).map { memory + $0 * Self.stride + Self.places.lowerBound }
        top = tops[0]
        for set in 0..<setCount { clear(set) }
    }

    deinit { free(memory) }

    mutating func select(_ set: Int) {
        tops[currentSet] = top
        currentSet = set
        top = tops[set]
    }

    mutating func clear(_ set: Int) {
        (memory + set * Self.stride + Self.places.lowerBound)
            .initializeMemory(as: Entry.self, repeating: Self.none, count: Self.count)
    }
}
