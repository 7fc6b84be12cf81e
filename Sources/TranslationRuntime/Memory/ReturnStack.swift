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

    private let entries: UnsafeMutablePointer<Entry>
    private var tops: [UnsafeMutableRawPointer]
    private var currentSet = 0
    /// The last entry of the set in use. Generated code reads and writes it, by `StateLayout.JumpLayout`.
    var top: UnsafeMutableRawPointer

    init(setCount: Int) {
        // Each ring is aligned to twice its size, so that one bit tells where it ends.
        let size = 2 * Self.count * MemoryLayout<Entry>.stride
        guard let memory = aligned_alloc(size, setCount * size) else {
            fatalError("no memory for a processor's caches")
        }
        let entries = memory.bindMemory(to: Entry.self, capacity: setCount * 2 * Self.count)
        entries.initialize(repeating: Self.none, count: setCount * 2 * Self.count)
        self.entries = entries
        tops = (0..<setCount).map { UnsafeMutableRawPointer(entries + $0 * 2 * Self.count) }
        top = UnsafeMutableRawPointer(entries)
    }

    deinit { free(entries) }

    mutating func select(_ set: Int) {
        tops[currentSet] = top
        currentSet = set
        top = tops[set]
    }

    mutating func clear(_ set: Int) { (entries + set * 2 * Self.count).update(repeating: Self.none, count: Self.count) }
}
