import Glibc
import GuestToolchain
import SharedFolders
import Testing

/// Nothing outside of the share's directory is reached, whatever the guest asks for and whatever happens on the host meanwhile.
@Suite struct ContainmentTests {
    private let directory = TemporaryDirectory()
    private let outside = TemporaryDirectory()

    private func host(_ name: String) -> String { directory.path(name) }

    @Test("A name is one component: what could lead elsewhere is refused by every operation that takes one")
    func names() throws {
        let client = try FUSEClient(directory)
        _ = try outside.file("secret", Array("outside".utf8))
        let file = try client.create("file").entry
        for name in ["..", ".", "", "/", "a/b", "../\(outside.path)/secret", "/etc/passwd"] {
            #expect(throws: FileError(EINVAL)) { try client.lookUp(name) }
            #expect(throws: FileError(EINVAL)) { try client.create(name) }
            #expect(throws: FileError(EINVAL)) { try client.makeDirectory(name) }
            #expect(throws: FileError(EINVAL)) { try client.makeNode(name, mode: 0o100644) }
            #expect(throws: FileError(EINVAL)) { try client.makeSymlink(name, to: "x") }
            #expect(throws: FileError(EINVAL)) { try client.unlink(name) }
            #expect(throws: FileError(EINVAL)) { try client.removeDirectory(name) }
            #expect(throws: FileError(EINVAL)) { try client.link(file.node, as: name) }
            #expect(throws: FileError(EINVAL)) { try client.rename(name, to: "new") }
            #expect(throws: FileError(EINVAL)) { try client.rename("file", to: name) }
        }
        let long = String(repeating: "n", count: 256)
        #expect(throws: FileError(ENAMETOOLONG)) { try client.lookUp(long) }
        #expect(try client.create(String(long.dropLast())).entry.node != 0)
        // Without the NUL that ends it, a name is none.
        #expect(throws: FileError(EINVAL)) { try client.call(1, 1, Array("file".utf8)) }
        #expect(try client.names().sorted() == ["file", String(long.dropLast())].sorted())
    }

    @Test("A symbolic link is the guest's to follow: the host opens nothing behind it")
    func symlinks() throws {
        let client = try FUSEClient(directory)
        _ = try outside.file("secret", Array("outside".utf8))
        let link = try client.makeSymlink("link", to: outside.path)
        #expect(link.attributes.type == UInt32(S_IFLNK))
        #expect(try client.call(5, link.node) == Array(outside.path.utf8))
        #expect(throws: FileError(ENOTDIR)) { try client.lookUp("secret", in: link.node) }
        #expect(throws: FileError(ENOTDIR)) { try client.openDirectory(link.node) }
        #expect(throws: FileError(ENOTDIR)) { try client.create("made", in: link.node) }
        let toFile = try client.makeSymlink("to-file", to: outside.path("secret"))
        #expect(throws: FileError(EPERM)) { try client.open(toFile.node) }
        #expect(throws: FileError(EPERM)) { try client.set(toFile.node, 8, size: 0) }
        // An open that may create meets the link, too.
        #expect(throws: FileError(EPERM)) { try client.create("to-file", flags: O_RDWR | O_TRUNC) }
        #expect(try outside.contents(outside.path("secret")) == Array("outside".utf8))
        // The mode of what it leads to stays as it was.
        _ = try client.chmod(toFile.node, 0o777)
        var status = stat()
        #expect(stat(outside.path("secret"), &status) == 0 && status.st_mode & 0o777 == 0o644)
    }

    @Test(
        "A directory that the host replaces by a symbolic link leads nowhere, with its descriptor open or closed",
        arguments: [16, 1])
    func swappedDirectory(places: Int) throws {
        var limits = FileServer.Limits()
        limits.places = places
        let client = try FUSEClient(directory, limits: limits)
        _ = try outside.file("file", Array("outside".utf8))
        let inner = try client.makeDirectory("inner")
        let (file, handle) = try client.create("file", in: inner.node)
        try client.write(handle, Array("inside".utf8))
        try client.release(handle)
        // Another directory takes the only descriptor.
        let other = try client.makeDirectory("other")
        _ = try client.lookUp("nothing", in: other.node)

        #expect(Glibc.rename(host("inner"), outside.path("moved")) == 0)
        #expect(symlink(outside.path, host("inner")) == 0)
        if places == 1 {
            #expect(throws: FileError(ESTALE)) { try client.lookUp("file", in: inner.node) }
            #expect(throws: FileError(ESTALE)) { try client.open(file.node) }
            #expect(throws: FileError(ESTALE)) { try client.create("made", in: inner.node) }
        } else {
            // The directory itself, wherever it is now: not what the link leads to.
            let found = try client.lookUp("file", in: inner.node)
            #expect(try client.read(try client.open(found.node).handle, 16) == Array("inside".utf8))
        }
        #expect(try client.lookUp("inner").attributes.type == UInt32(S_IFLNK))
        #expect(try outside.contents(outside.path("file")) == Array("outside".utf8))
        #expect(try outside.names().sorted() == ["file", "moved"])
    }

    @Test("While the host swaps a directory and a link all the time, no walk ever ends outside")
    func swappingDirectory() throws {
        var limits = FileServer.Limits()
        limits.places = 1
        let client = try FUSEClient(directory, limits: limits)
        _ = try outside.file("file", Array("outside".utf8))
        #expect(mkdir(host("a"), 0o755) == 0)
        _ = try directory.file("a/file", Array("inside".utf8))
        #expect(symlink(outside.path, host("b")) == 0)
        let swapper = Swapper(host("a"), host("b"))
        defer { swapper.stop() }
        var hits = 0
        for _ in 0..<1000 {
            guard let found = try? client.walk("a/file"), found.node != 0, let open = try? client.open(found.node)
            else {
                continue
            }
            #expect(try client.read(open.handle, 16) == Array("inside".utf8))
            try client.release(open.handle)
            hits += 1
        }
        #expect(hits > 0)
    }

    @Test("Fifos, sockets and devices of the host are never opened, and the guest cannot make devices")
    func specialFiles() throws {
        let client = try FUSEClient(directory)
        #expect(mkfifo(host("fifo"), 0o666) == 0)
        let fifo = try client.lookUp("fifo")
        #expect(fifo.attributes.type == UInt32(S_IFIFO))
        for flags in [O_RDONLY, O_WRONLY, O_RDWR] {
            #expect(throws: FileError(EPERM)) { try client.open(fifo.node, flags) }
        }
        #expect(throws: FileError(EPERM)) { try client.create("fifo") }
        #expect(throws: FileError(EPERM)) { try client.set(fifo.node, 8, size: 0) }
        for type in [S_IFCHR, S_IFBLK, S_IFDIR, S_IFLNK] {
            #expect(throws: FileError(EPERM)) { try client.makeNode("device", mode: UInt32(type) | 0o666) }
        }
        // Places for the guest's own programs to meet at.
        #expect(try client.makeNode("pipe", mode: UInt32(S_IFIFO) | 0o600).attributes.mode == UInt32(S_IFIFO) | 0o600)
        #expect(try client.makeNode("socket", mode: UInt32(S_IFSOCK) | 0o600).attributes.type == UInt32(S_IFSOCK))
        #expect(try client.makeNode("plain", mode: UInt32(S_IFREG) | 0o600).attributes.type == UInt32(S_IFREG))
    }

    @Test("A read-only share refuses every change, also through a file that is open")
    func readOnly() throws {
        _ = try directory.file("file", Array("text".utf8))
        let client = try FUSEClient(directory, readOnly: true)
        let file = try client.lookUp("file")
        #expect(throws: FileError(EROFS)) { try client.open(file.node, O_RDWR) }
        #expect(throws: FileError(EROFS)) { try client.open(file.node, O_RDONLY | O_TRUNC) }
        let handle = try client.open(file.node, O_RDONLY).handle
        #expect(try client.read(handle, 16) == Array("text".utf8))
        #expect(throws: FileError(EROFS)) { try client.write(handle, [1]) }
        #expect(throws: FileError(EROFS)) { try client.create("new") }
        #expect(throws: FileError(EROFS)) { try client.makeDirectory("new") }
        #expect(throws: FileError(EROFS)) { try client.makeNode("new", mode: 0o100644) }
        #expect(throws: FileError(EROFS)) { try client.makeSymlink("new", to: "file") }
        #expect(throws: FileError(EROFS)) { try client.unlink("file") }
        #expect(throws: FileError(EROFS)) { try client.removeDirectory("file") }
        #expect(throws: FileError(EROFS)) { try client.rename("file", to: "new") }
        #expect(throws: FileError(EROFS)) { try client.link(file.node, as: "new") }
        #expect(throws: FileError(EROFS)) { try client.chmod(file.node, 0o600) }
        #expect(throws: FileError(EROFS)) { try client.setExtended(file.node, "user.a", [1]) }
        #expect(throws: FileError(EROFS)) { try client.call(43, 0, .longs(handle, 0, 1) + .words(0, 0)) }
        #expect(try client.names() == ["file"])
    }
}

/// Exchanges two names of the host until it is told to end.
private final class Swapper: Sendable {
    private let thread: HostLoop

    init(_ first: String, _ second: String) {
        thread = HostLoop {
            rename(first, first + ".old")
            rename(second, first)
            rename(first + ".old", second)
        }
    }

    func stop() { thread.stop() }
}
