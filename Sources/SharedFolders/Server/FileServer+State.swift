internal import Glibc
package import SavedState
internal import Synchronization

/// What the guest knows, as names below the share's root. Where the same names lead to files of the same type later, the guest goes on with
/// these; other files are gone for it (ESTALE).
extension FileServer {
    private static let longestTable = 256 << 20
    /// Numbers and counts of a saved state are less, so that the guest can go on counting.
    private static let largestNumber: UInt64 = 1 << 62
    private static let kind = "shared-folder"

    package func save() -> SavedRecord {
        let state = state.withLock { $0 }
        var record = SavedRecord(kind: Self.kind, version: 1)
        var nodes = ReplyBytes()
        for (identifier, node) in state.nodes.nodes.sorted(by: { $0.key < $1.key }) where identifier != NodeTable.root {
            for value in [identifier, node.parent, node.lookups] { nodes.add(value) }
            nodes.add(node.identity.type)
            // A file that was removed has no name any more, whatever it was called.
            let name = node.isPinned && node.identity.type != UInt32(S_IFDIR) ? [0] : node.name?.text ?? [0]
            nodes.add(name.map { UInt8(bitPattern: $0) })
        }
        record.set("nodes", nodes.bytes)
        var handles = ReplyBytes()
        for (number, handle) in state.handles.handles.sorted(by: { $0.key < $1.key }) {
            for value in [number, handle.node] { handles.add(value) }
            handles.add(handle.flags)
            handles.add(UInt32(handle.entries == nil ? 0 : 1))
        }
        record.set("handles", handles.bytes)
        return record
    }

    package func restore(_ record: SavedRecord) throws(SavedStateError) {
        try record.expect(kind: Self.kind, versions: 1...1)
        reset().close()
        let nodes = try parsed(record, "nodes") { reader throws(FileError) in try SavedNode(&reader) }
        let handles = try parsed(record, "handles") { reader throws(FileError) in try SavedHandle(&reader) }
        guard nodes.count <= limits.nodes, handles.count <= limits.handles,
            Set(nodes.map(\.identifier)).count == nodes.count,
            nodes.allSatisfy({
                $0.identifier > NodeTable.root && max($0.identifier, $0.lookups) < Self.largestNumber
                    && $0.parent != $0.identifier
            })
        else { throw .badField(kind: Self.kind, field: "nodes") }
        restore(nodes)
        for handle in handles where handle.number > 0 && handle.number < Self.largestNumber { restore(handle) }
    }

    private func parsed<Element>(
        _ record: SavedRecord, _ field: String, _ element: (inout ArgumentReader) throws(FileError) -> Element
    ) throws(SavedStateError) -> [Element] {
        var reader = ArgumentReader(try record.bytes(field, limit: Self.longestTable))
        var result: [Element] = []
        do throws(FileError) {
            while !reader.isEmpty { result.append(try element(&reader)) }
        } catch {
            throw .badField(kind: Self.kind, field: field)
        }
        return result
    }

    /// From the root downwards, so that each directory is opened once.
    private func restore(_ nodes: [SavedNode]) {
        let children = Dictionary(grouping: nodes, by: \.parent)
        var found: Set<UInt64> = []
        var waiting = (children[NodeTable.root] ?? []).map { (node: $0, directory: Optional(root)) }
        while let (node, directory) = waiting.popLast() {
            guard found.insert(node.identifier).inserted else { continue }
            var place: OpenFile?
            var status: FileStatus?
            if let directory, let name = node.name {
                place = try? OpenFile.place(name, in: directory, cachedOnly: false)
                status = place.flatMap { try? FileStatus($0) }
            }
            let isSame = status?.type == node.type
            state.withLock { state in
                state.nodes.restore(
                    node.identifier, isSame ? status?.identity : nil, parent: node.parent, name: node.name,
                    lookups: node.lookups, type: node.type)
            }
            let isDirectory = isSame && status?.isDirectory == true
            waiting += (children[node.identifier] ?? []).map { ($0, isDirectory ? place : nil) }
        }
        // Nodes whose parents are missing or go round in a circle.
        for node in nodes where !found.contains(node.identifier) {
            state.withLock { state in
                state.nodes.restore(
                    node.identifier, nil, parent: NodeTable.root, name: nil, lookups: node.lookups, type: node.type)
            }
        }
    }

    private func restore(_ saved: SavedHandle) {
        let flags = OpenFlags(raw: saved.flags & ~UInt32(O_TRUNC))
        var handle: Handle?
        if let (place, status) = try? located(saved.node), !(isReadOnly && flags.mayWrite) {
            if saved.isDirectory, status.isDirectory, let file = try? place.openDirectory() {
                handle = Handle(node: saved.node, file: file, flags: 0, entries: DirectoryEntries(file))
            } else if !saved.isDirectory, let file = try? reopen(place, status, flags) {
                handle = Handle(node: saved.node, file: file, flags: saved.flags, entries: nil)
            }
        }
        state.withLock { [handle] state in
            state.handles.restore(handle, as: saved.number)
            if let handle { state.nodes.open(saved.node, handle: saved.number, handle.file) }
        }
    }
}

/// A node of a saved state.
private struct SavedNode {
    let identifier: UInt64
    let parent: UInt64
    let lookups: UInt64
    let type: UInt32
    /// Nil for a file without a name.
    let name: FileName?

    init(_ reader: inout ArgumentReader) throws(FileError) {
        identifier = try reader.integer()
        parent = try reader.integer()
        lookups = try reader.integer()
        type = try reader.integer()
        let text = try reader.text()
        name = text.count > 1 ? try FileName(text) : nil
    }
}

/// A handle of a saved state.
private struct SavedHandle {
    let number: UInt64
    let node: UInt64
    let flags: UInt32
    let isDirectory: Bool

    init(_ reader: inout ArgumentReader) throws(FileError) {
        number = try reader.integer()
        node = try reader.integer()
        flags = try reader.integer()
        isDirectory = try reader.integer(UInt32.self) != 0
    }
}
