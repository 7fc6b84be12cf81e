internal import ControlAPI

/// Snapshots in their descent: below each one, those of machines that went on from it.
package struct SnapshotTree {
    /// A snapshot and its place.
    package struct Node {
        package let snapshot: Snapshot
        /// For each level above, from the outermost: whether the snapshot of this level is the last one below its parent. Empty at the root.
        package let isLast: [Bool]

        package init(snapshot: Snapshot, isLast: [Bool]) {
            self.snapshot = snapshot
            self.isLast = isLast
        }
    }

    /// A snapshot follows the one that it is below; snapshots of one parent are ordered by their age.
    package let nodes: [Node]
    /// Of the snapshots that are there.
    private let ids: Set<String>

    /// - Parameter all: all snapshots, by their age.
    package init(_ all: [Snapshot]) {
        let ids = Set(all.map(\.record.id))
        self.ids = ids
        let parents = all.map { Self.parent(of: $0, among: ids) }
        let children = Dictionary(grouping: all.indices.filter { parents[$0] != nil }) { parents[$0]! }
        var nodes: [Node] = []
        var isDone = Set<Int>()
        func add(_ index: Int, _ isLast: [Bool]) {
            // Records are files of the user, who may have written a circle into them.
            guard isDone.insert(index).inserted else { return }
            nodes.append(Node(snapshot: all[index], isLast: isLast))
            let below = children[all[index].record.id] ?? []
            for child in below { add(child, isLast + [child == below.last]) }
        }
        for index in all.indices where parents[index] == nil { add(index, []) }
        for index in all.indices { add(index, []) }
        self.nodes = nodes
    }

    /// The ID of the nearest snapshot that a snapshot descends from and that is there.
    package func parent(of snapshot: Snapshot) -> String? { Self.parent(of: snapshot, among: ids) }

    private static func parent(of snapshot: Snapshot, among ids: Set<String>) -> String? {
        (snapshot.record.descent ?? []).first(where: ids.contains)
    }
}
