internal import Aerie
internal import ControlAPI
internal import Foundation
internal import Runtime

/// A snapshot as `aerie snapshot ls` shows it.
struct SnapshotListing: Encodable {
    let id: String
    let name: String
    let machine: String
    let image: String?
    let created: Date
    /// Whether the guest goes on where it was; otherwise it boots.
    let hasState: Bool
    /// Bytes of the guest's memory.
    let memory: UInt64
    /// Bytes of the host's storage that no other snapshot has.
    let size: UInt64
    /// Bytes of the host's storage that other snapshots have, too.
    let shared: UInt64
    /// The ID of the nearest snapshot that this one descends from; nil for none.
    let parent: String?
    /// Whether the memory's file has only the difference to that of an earlier snapshot.
    let isIncremental: Bool
    /// The lines of a tree before the name.
    let branch: String

    private enum CodingKeys: CodingKey {
        case id, name, machine, image, created, hasState, memory, size, shared, parent, isIncremental
    }

    /// - Parameter all: all snapshots, by their age.
    static func all(_ all: [Snapshot], asTree: Bool) -> [SnapshotListing] {
        let usages = Dictionary(uniqueKeysWithValues: zip(all.map(\.record.id), SnapshotUsage.of(all)))
        let tree = SnapshotTree(all)
        let nodes = asTree ? tree.nodes : all.map { SnapshotTree.Node(snapshot: $0, isLast: []) }
        return nodes.map { node in
            SnapshotListing(
                node.snapshot, usages[node.snapshot.record.id]!,
                parent: tree.parent(of: node.snapshot), branch: branch(node.isLast))
        }
    }

    private init(_ snapshot: Snapshot, _ usage: SnapshotUsage, parent: String?, branch: String) {
        let record = snapshot.record
        id = record.id
        name = record.name
        machine = record.machine.name
        image = record.machine.image?.reference
        created = Date(timeIntervalSince1970: Double(record.created) / 1e9)
        hasState = record.hasState
        memory = record.machine.configuration.memory.bytes
        size = usage.own
        shared = usage.shared
        self.parent = parent
        isIncremental = record.layers != nil
        self.branch = branch
    }

    private static func branch(_ isLast: [Bool]) -> String {
        guard let last = isLast.last else { return "" }
        return isLast.dropLast().map { $0 ? "   " : "│  " }.joined() + (last ? "└─ " : "├─ ")
    }
}
