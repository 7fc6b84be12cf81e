import CRawCalls
import Glibc
import GuestToolchain
import SharedFolders
import Testing

/// Names and the files behind them.
@Suite struct NameTests {
    private let directory = TemporaryDirectory()

    @Test(
        "A directory is listed once and whole, with attributes and without, whatever the size of the answers",
        arguments: [false, true])
    func listing(plus: Bool) throws {
        let expected = (0..<700).map { "file-\($0)-\(String(repeating: "x", count: $0 % 60))" }.sorted()
        for name in expected { _ = try directory.file(name, []) }
        let client = try FUSEClient(directory)
        for size in [512, 4096, 32768] as [UInt32] {
            #expect(try client.names(size: size, plus: plus).sorted() == expected)
        }
        let handle = try client.openDirectory()
        let first = try client.list(handle, from: 0, plus: plus)
        let second = try client.list(handle, from: first[10].next, plus: plus)
        #expect(second.prefix(8).map(\.name) == first[11...].prefix(8).map(\.name))
        #expect(try client.list(handle, from: 0, size: 8, plus: plus) == [])
        if plus {
            // Each answer counts as a look-up, but not for the directory itself and its parent.
            let known = try client.lookUp(try #require(first.first { $0.name.hasPrefix("file") }).name)
            #expect(first.contains { $0.node == known.node })
            #expect(first.filter { $0.name == "." || $0.name == ".." }.allSatisfy { $0.node == 0 })
        }
    }

    @Test("A renamed file keeps its number; without replacement or in exchange as the flags say")
    func renaming() throws {
        let client = try FUSEClient(directory)
        let inner = try client.makeDirectory("inner")
        let first = try client.create("first").entry
        let second = try client.create("second").entry
        try client.rename("first", to: "moved", into: inner.node)
        #expect(try client.lookUp("moved", in: inner.node).node == first.node)
        #expect(try client.lookUp("first").node == 0)
        #expect(try client.attributes(first.node).inode == first.attributes.inode)
        #expect(throws: FileError(EEXIST)) {
            try client.rename("moved", in: inner.node, to: "second", flags: 1)
        }
        try client.rename("moved", in: inner.node, to: "second", flags: 2)
        #expect(try client.lookUp("second").node == first.node)
        #expect(try client.lookUp("moved", in: inner.node).node == second.node)
        #expect(throws: FileError(EINVAL)) { try client.rename("second", to: "x", flags: 4) }
        #expect(throws: FileError(EINVAL)) { try client.rename("inner", to: "x", into: inner.node) }
        #expect(throws: FileError(ENOENT)) { try client.rename("nothing", to: "x") }
        // The plain request without flags.
        try client.call(12, 1, .longs(inner.node) + .text("second") + .text("third"))
        #expect(try client.lookUp("third", in: inner.node).node == first.node)
    }

    @Test("A file that loses its name stays for whoever has it open or knows it")
    func openUnlinked() throws {
        let client = try FUSEClient(directory)
        let (file, handle) = try client.create("file")
        try client.write(handle, Array("text".utf8))
        try client.unlink("file")
        #expect(try client.attributes(file.node).links == 0)
        #expect(try client.read(handle, 16) == Array("text".utf8))
        #expect(try client.set(file.node, 8, size: 2).size == 2)
        let again = try client.open(file.node).handle
        try client.release(handle)
        #expect(try client.read(again, 16) == Array("te".utf8))
        try client.release(again)
        #expect(try client.attributes(file.node).size == 2)
        try client.forget(file.node)
        #expect(throws: FileError(ESTALE)) { try client.attributes(file.node) }
        // The same when another file takes the name, and when the host takes it away.
        let kept = try client.create("kept").entry
        _ = try client.create("other")
        try client.rename("other", to: "kept")
        #expect(try client.attributes(kept.node).links == 0)
        let (open, hosts) = try client.create("hosts")
        Glibc.unlink(directory.path("hosts"))
        try client.write(hosts, [1, 2, 3])
        #expect(try client.attributes(open.node).size == 3)
    }

    @Test("What the host has removed, moved or replaced is stale under its old number, and found under its name")
    func hostChanges() throws {
        let client = try FUSEClient(directory)
        let files = try ["gone", "moved", "replaced"].map { name in
            _ = try directory.file(name, Array(name.utf8))
            return try client.lookUp(name)
        }
        Glibc.unlink(directory.path("gone"))
        Glibc.rename(directory.path("moved"), directory.path("new"))
        _ = try directory.file("next", Array("next".utf8))
        Glibc.rename(directory.path("next"), directory.path("replaced"))
        for file in files {
            #expect(throws: FileError(ESTALE)) { try client.attributes(file.node) }
            #expect(throws: FileError(ESTALE)) { try client.open(file.node) }
        }
        #expect(try client.lookUp("gone").node == 0)
        // The same file under a new name has its number again.
        #expect(try client.lookUp("new").node == files[1].node)
        #expect(try client.attributes(files[1].node).size == 5)
        #expect(try client.lookUp("replaced").node != files[2].node)
    }

    @Test("A shared directory that the host removes is empty and stale, and open files stay")
    func removedRoot() throws {
        _ = try directory.file("file", Array("contents".utf8))
        let client = try FUSEClient(directory)
        let open = try client.open(client.lookUp("file").node)
        Glibc.unlink(directory.path("file"))
        try #require(Glibc.rmdir(directory.path) == 0)
        #expect(try client.read(open.handle, 8) == Array("contents".utf8))
        #expect(try client.lookUp("file").node == 0)
        #expect(throws: FileError(ENOENT)) { try client.create("another") }
        #expect(throws: FileError(ENOENT)) { try client.names() }
        // The share itself is there, and the guest can unmount it.
        #expect(try client.attributes(FUSEClient.root).links == 0)
    }

    @Test("A shared directory that becomes unreadable is refused, open files stay, and it may become readable again")
    func unreadableRoot() throws {
        _ = try directory.file("file", Array("contents".utf8))
        let client = try FUSEClient(directory)
        let node = try client.lookUp("file").node
        let open = try client.open(node)
        try #require(chmod(directory.path, 0) == 0)
        // Root reads what nobody may; another user of this thread alone does not.
        let setfsuid = 122
        func setUser(_ user: Int) { if geteuid() == 0 { raw_call(setfsuid, user, 0, 0, 0, 0, 0) } }
        setUser(65534)
        defer {
            setUser(0)
            _ = chmod(directory.path, 0o700)
        }
        #expect(try client.read(open.handle, 8) == Array("contents".utf8))
        #expect(throws: FileError(EACCES)) { try client.lookUp("file") }
        #expect(throws: FileError(EACCES)) { try client.create("another") }
        #expect(throws: FileError(EACCES)) { try client.names() }
        setUser(0)
        try #require(chmod(directory.path, 0o700) == 0)
        #expect(try client.lookUp("file").node == node)
        #expect(try client.names().contains("file"))
    }

    @Test("Hard links are one file under several names")
    func hardLinks() throws {
        let client = try FUSEClient(directory)
        let (file, handle) = try client.create("first")
        let link = try client.link(file.node, as: "second")
        #expect(link.node == file.node)
        #expect(link.attributes.links == 2)
        try client.unlink("first")
        #expect(try client.attributes(file.node).links == 1)
        try client.release(handle)
        #expect(try client.lookUp("second").node == file.node)
        let symlink = try client.makeSymlink("symlink", to: "anywhere")
        #expect(try client.link(symlink.node, as: "symlink-2").node == symlink.node)
        let inner = try client.makeDirectory("inner")
        #expect(throws: FileError(EPERM)) { try client.link(inner.node, as: "x") }
        // An unnamed file gets its first name.
        let unnamed = try client.call(51, 1, .words(UInt32(O_RDWR), 0o600, 0, 0))
        #expect(try client.link(unnamed.integer(at: 0), as: "named").node == unnamed.integer(at: 0))
        #expect(try client.names().sorted() == ["inner", "named", "second", "symlink", "symlink-2"])
    }

    @Test("A tree with many more directories than descriptors works, at any depth")
    func fewDescriptors() throws {
        var limits = FileServer.Limits()
        limits.places = 16
        let client = try FUSEClient(directory, limits: limits)
        var parents: [UInt64] = []
        for number in 0..<300 {
            parents.append(try client.makeDirectory("d\(number)").node)
        }
        var deepest = parents[0]
        for number in 0..<100 { deepest = try client.makeDirectory("n\(number)", in: deepest).node }
        for parent in parents { try client.release(try client.create("file", in: parent).handle) }
        let last = try client.create("last", in: deepest).entry
        #expect(client.server.statistics.places <= 17)
        for parent in parents { #expect(try client.lookUp("file", in: parent).node != 0) }
        #expect(try client.attributes(last.node).type == UInt32(S_IFREG))
        // A directory in the middle moves; what is below it is found all the same.
        let inner = try client.lookUp("n0", in: parents[0])
        try client.rename("n0", in: parents[0], to: "elsewhere")
        for parent in parents { _ = try client.lookUp("file", in: parent) }
        #expect(try client.attributes(last.node).links == 1)
        #expect(try client.lookUp("elsewhere").node == inner.node)
        #expect(client.server.statistics.places <= 17)
    }

    @Test("What the guest forgets is forgotten: no more files, descriptors and handles are left than at the start")
    func forgetting() throws {
        let client = try FUSEClient(directory)
        let before = client.server.statistics
        var known: [UInt64: UInt64] = [:]
        func note(_ node: UInt64) { known[node, default: 0] += 1 }
        var parent = FUSEClient.root
        for _ in 0..<20 {
            parent = try client.makeDirectory("d", in: parent).node
            note(parent)
            let (file, handle) = try client.create("f", in: parent)
            note(file.node)
            try client.release(handle)
            note(try client.lookUp("f", in: parent).node)
        }
        let batch = known.flatMap { [UInt8].longs($0.key, $0.value) }
        try client.call(42, 0, .words(UInt32(known.count), 0) + batch)
        #expect(client.server.statistics == before)
    }
}
