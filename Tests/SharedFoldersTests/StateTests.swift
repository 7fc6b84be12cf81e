import Glibc
import GuestToolchain
import SavedState
import SharedFolders
import Testing

/// What a guest knows of a share, saved and restored.
@Suite struct StateTests {
    private let directory = TemporaryDirectory()

    @Test("A restored guest goes on with its numbers and open files; what is gone is stale")
    func restored() throws {
        let client = try FUSEClient(directory)
        let inner = try client.makeDirectory("inner")
        let (file, handle) = try client.create("file", in: inner.node)
        try client.write(handle, Array("text".utf8))
        let reader = try client.open(file.node, O_RDONLY).handle
        let list = try client.openDirectory(inner.node)
        let (gone, goneHandle) = try client.create("gone")
        let (unnamed, unnamedHandle) = try client.create("unnamed")
        try client.unlink("unnamed")
        let changed = try client.create("changed").entry
        let saved = client.server.save()

        Glibc.unlink(directory.path("gone"))
        Glibc.unlink(directory.path("changed"))
        #expect(mkdir(directory.path("changed"), 0o755) == 0)
        let server = try FileServer(path: directory.path, ownership: .caller, isReadOnly: false)
        try server.restore(saved)
        let next = try FUSEClient(sharing: server)
        #expect(try next.read(reader, 16) == Array("text".utf8))
        try next.write(handle, at: 4, Array(" more".utf8))
        #expect(try next.attributes(file.node).size == 9)
        #expect(try next.list(list, from: 0, plus: false).map(\.name).contains("file"))
        #expect(throws: FileError(EBADF)) { try next.write(reader, [1]) }
        for (node, handle) in [(gone.node, goneHandle), (unnamed.node, unnamedHandle)] {
            #expect(throws: FileError(ESTALE)) { try next.attributes(node) }
            #expect(throws: FileError(ESTALE)) { try next.read(handle, 1) }
        }
        #expect(throws: FileError(ESTALE)) { try next.attributes(changed.node) }
        #expect(try next.lookUp("file", in: inner.node).node == file.node)
        // New numbers are not old ones.
        #expect(try next.lookUp("changed").node > changed.node)
        let again = try next.open(file.node).handle
        #expect(again > unnamedHandle)
        // What the guest forgets is gone here as well.
        for number in [reader, handle, again] { try next.release(number) }
        try next.forget(file.node, .max)
        #expect(throws: FileError(ESTALE)) { try next.attributes(file.node) }
        // The same once more.
        #expect(throws: Never.self) { try server.restore(server.save()) }
    }

    @Test("A state that is damaged or hostile is refused, or leads to files that are gone")
    func damaged() throws {
        let server = try FileServer(path: directory.path, ownership: .caller, isReadOnly: false)
        func record(nodes: [UInt8], handles: [UInt8] = []) -> SavedRecord {
            var record = SavedRecord(kind: "shared-folder", version: 1)
            record.set("nodes", nodes)
            record.set("handles", handles)
            return record
        }
        func node(_ identifier: UInt64, in parent: UInt64, _ name: String) -> [UInt8] {
            .longs(identifier, parent, 1) + .words(UInt32(S_IFDIR)) + .text(name)
        }
        for nodes in [
            [1, 2, 3], node(2, in: 1, ".."), node(2, in: 1, "a/b"), node(1, in: 1, "a"), node(0, in: 1, "a"),
            node(.max, in: 1, "a"), node(2, in: 2, "a"), node(2, in: 1, "a") + node(2, in: 1, "b"),
        ] {
            #expect(throws: SavedStateError.self) { try server.restore(record(nodes: nodes)) }
        }
        #expect(throws: SavedStateError.self) { try server.restore(record(nodes: [], handles: [1])) }
        // Parents that go round in a circle, or that nobody knows.
        let handles = [UInt8].longs(5, 2) + .words(2, 0) + .longs(6, 77) + .words(0, 1)
        try server.restore(
            record(nodes: node(2, in: 3, "a") + node(3, in: 2, "b") + node(4, in: 9, "c"), handles: handles))
        let client = try FUSEClient(sharing: server)
        for node in [2, 3, 4] as [UInt64] {
            #expect(throws: FileError(ESTALE)) { try client.attributes(node) }
            try client.forget(node)
        }
        for handle in [5, 6] as [UInt64] { #expect(throws: FileError(ESTALE)) { try client.read(handle, 1) } }
    }
}
