/// Numbers of nodes in the order in which they came. Some of them may mean nothing any more.
struct NodeQueue: Sendable {
    private var items: [UInt64] = []
    private var first = 0

    var count: Int { items.count - first }

    /// - Parameters:
    ///   - limit: how many numbers mean something, about. The queue becomes a few times as long.
    ///   - isCurrent: whether a number means something.
    mutating func append(_ item: UInt64, limit: Int, isCurrent: (UInt64) -> Bool) {
        items.append(item)
        guard items.count > 4 * limit + 1024 else { return }
        items = items[first...].filter(isCurrent)
        first = 0
    }

    mutating func popFirst() -> UInt64? {
        guard first < items.count else { return nil }
        defer { first += 1 }
        return items[first]
    }
}
