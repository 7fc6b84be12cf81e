import AgentClient
import Foundation
import Glibc
import GuestToolchain
import TarStream
import Testing

/// Trees of this host to tar streams and back, and what hostile guests put into them.
@Suite("Copies of trees")
struct TreeCopyTests {
    private let directory = TemporaryDirectory()

    /// What a copy has refused, by the member's name.
    private final class Refusals {
        var all: [String: TreeFault] = [:]
    }

    private static func archive(_ path: String, name: String?, _ refusals: Refusals = Refusals()) throws -> [UInt8] {
        let reader = try TreeReader(path: path, name: name, followsLink: false) { refusals.all[$0] = $1 }
        var result: [UInt8] = []
        // An odd size, so that headers and data are cut everywhere.
        var piece = [UInt8](repeating: 0, count: 4099)
        while case let count = piece.withUnsafeMutableBytes({ reader.read(into: $0) }), count > 0 {
            result += piece[..<count]
        }
        return result
    }

    private static func unpack(_ archive: [UInt8], _ plan: CopyPlan) throws -> [String: TreeFault] {
        let refusals = Refusals()
        let receiver = try TreeReceiver(plan) { refusals.all[$0] = $1 }
        try archive.withUnsafeBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: 1021) {
                try receiver.take(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + 1021, bytes.count)]))
            }
        }
        try receiver.finish()
        return refusals.all
    }

    private func status(_ name: String) throws -> stat {
        var status = stat()
        guard lstat(directory.path(name), &status) == 0 else { throw POSIXError(.init(rawValue: errno)!) }
        return status
    }

    private func make(_ name: String) throws {
        guard mkdir(directory.path(name), 0o755) == 0 else { throw POSIXError(.init(rawValue: errno)!) }
    }

    /// An archive of members, each with its data.
    private static func archive(_ members: [(TarMember, [UInt8])]) -> [UInt8] {
        var result: [UInt8] = []
        for (member, data) in members {
            var member = member
            member.size = UInt64(data.count)
            result += TarWriter.header(member) + data + TarWriter.padding(behind: UInt64(data.count))
        }
        return result + TarWriter.end
    }

    private static func member(_ path: String, _ kind: TarMember.Kind = .file, mode: UInt32 = 0o644) -> TarMember {
        TarMember(path: Array(path.utf8), kind: kind, mode: mode)
    }

    @Test("A tree comes back with its modes, times, links, names and holes")
    func roundTrip() throws {
        try make("tree")
        try make("tree/sub")
        let long = String(repeating: "ü", count: 120)
        _ = try directory.file("tree/\(long)", Array("long".utf8))
        _ = try directory.file("tree/empty", [UInt8]())
        let data = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let plain = try directory.file("tree/sub/data", data)
        #expect(link(plain, directory.path("tree/sub/second")) == 0)
        #expect(symlink("../absent", directory.path("tree/sub/link")) == 0)
        #expect(mkfifo(directory.path("tree/fifo"), 0o600) == 0)
        let sparse = open(directory.path("tree/sparse"), O_WRONLY | O_CREAT, 0o640)
        #expect(pwrite(sparse, "x", 1, 50 << 20) == 1)
        #expect(ftruncate(sparse, 100 << 20) == 0)
        close(sparse)
        for (name, mode) in [("tree/empty", mode_t(0o400)), ("tree/sub", 0o555), ("tree/sub/data", 0o6755)] {
            #expect(chmod(directory.path(name), mode) == 0)
        }
        var times = [timespec(tv_sec: 100, tv_nsec: 5), timespec(tv_sec: 1_000_000_000, tv_nsec: 123_456_789)]
        for name in ["tree/sub/link", "tree/sub/data", "tree/sub", "tree"] {
            #expect(utimensat(AT_FDCWD, directory.path(name), &times, AT_SYMLINK_NOFOLLOW) == 0)
        }

        try make("copy")
        let plan = CopyPlan(directory: directory.path("copy"), name: "new")
        let archive = try Self.archive(directory.path("tree"), name: "tree")
        #expect(archive.count < 1 << 20)
        #expect(try Self.unpack(archive, plan) == [:])

        for name in ["", "/\(long)", "/empty", "/sub", "/sub/data", "/sub/second", "/sub/link", "/fifo", "/sparse"] {
            let (old, new) = (try status("tree\(name)"), try status("copy/new\(name)"))
            // Without the set-id bits.
            #expect(new.st_mode == old.st_mode & ~0o7000, "\(name)")
            if old.st_mode & S_IFMT != S_IFDIR { #expect(new.st_size == old.st_size, "\(name)") }
            #expect(new.st_mtim.tv_sec == old.st_mtim.tv_sec, "\(name)")
            #expect(new.st_mtim.tv_nsec == old.st_mtim.tv_nsec, "\(name)")
        }
        #expect(try directory.contents(directory.path("copy/new/sub/data")) == data)
        #expect(try status("copy/new/sub/data").st_ino == status("copy/new/sub/second").st_ino)
        #expect(
            try FileManager.default.destinationOfSymbolicLink(atPath: directory.path("copy/new/sub/link"))
                == "../absent")
        #expect(try status("copy/new/sparse").st_blocks < 1000)
        for name in ["tree/sub", "copy/new/sub"] { chmod(directory.path(name), 0o755) }
    }

    @Test("The contents of a directory go into an existing one, and replace files there")
    func contents() throws {
        try make("tree")
        try make("tree/sub")
        _ = try directory.file("tree/sub/f", Array("new".utf8))
        try make("copy")
        try make("copy/sub")
        let old = try directory.file("copy/sub/f", Array("old".utf8))
        #expect(link(old, directory.path("copy/other")) == 0)
        let archive = try Self.archive(directory.path("tree"), name: nil)
        // The host's own archives name contents without a first component; a guest's begin with `.`.
        let prefixed = try Self.archive(directory.path("tree"), name: "tree")
        #expect(archive.count < prefixed.count)
        #expect(try Self.unpack(prefixed, CopyPlan(directory: directory.path("copy"), name: nil)) == [:])
        #expect(try directory.contents(old) == Array("new".utf8))
        // The file was replaced, not written to.
        #expect(try directory.contents(directory.path("copy/other")) == Array("old".utf8))
    }

    @Test("Names that lead out of the destination are refused, and the other members arrive")
    func hostileNames() throws {
        try make("copy")
        let names = ["t/../../out", "/abs", "..", "../out", "t/a/../../b", "t/" + String(repeating: "n", count: 300)]
        let archive = Self.archive(
            names.map { (Self.member($0), [1]) } + [(Self.member("t/good"), [2])])
        let refusals = try Self.unpack(archive, CopyPlan(directory: directory.path("copy"), name: nil))
        #expect(Set(refusals.keys) == Set(names))
        #expect(refusals.values.allSatisfy { $0 == .invalidName })
        #expect(try directory.names() == ["copy"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path("copy")) == ["good"])
    }

    @Test("Nothing is written through a symbolic link, whether the guest sent it or it was there")
    func hostileLinks() throws {
        try make("copy")
        try make("outside")
        let victim = try directory.file("outside/victim", Array("safe".utf8))
        #expect(symlink(directory.path("outside"), directory.path("copy/there")) == 0)
        #expect(symlink(victim, directory.path("copy/file")) == 0)
        let outside = Array(directory.path("outside").utf8)
        let archive = Self.archive([
            (Self.member("t/there/victim"), [1]),
            (Self.member("t/sent", .symbolicLink(target: outside)), []),
            (Self.member("t/sent/victim"), [1]),
            (Self.member("t/sent/new", .directory), []),
            (Self.member("t/there", .directory, mode: 0o700), []),
            (Self.member("t/hard", .hardLink(target: Array("t/there/victim".utf8))), []),
            (Self.member("t/hard2", .hardLink(target: Array("t/../outside/victim".utf8))), []),
            (Self.member("t/hard3", .hardLink(target: Array(victim.utf8))), []),
            (Self.member("t/file"), [7]),
        ])
        let refusals = try Self.unpack(archive, CopyPlan(directory: directory.path("copy"), name: nil))
        #expect(
            refusals == [
                "t/there/victim": .notADirectory, "t/sent/victim": .notADirectory, "t/sent/new": .notADirectory,
                "t/there": .notADirectory, "t/hard": .notADirectory, "t/hard2": .invalidLink, "t/hard3": .invalidLink,
            ])
        #expect(try directory.contents(victim) == Array("safe".utf8))
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path("outside")) == ["victim"])
        // The link was replaced by the file.
        #expect(try status("copy/file").st_mode & S_IFMT == S_IFREG)
        #expect(try directory.contents(directory.path("copy/file")) == [7])
    }

    @Test("Devices and set-user-id bits do not come from a guest, and only files and links are replaced")
    func hostileKinds() throws {
        try make("copy")
        try make("copy/dir")
        #expect(mkfifo(directory.path("copy/fifo"), 0o600) == 0)
        _ = try directory.file("copy/plain", [UInt8]())
        let archive = Self.archive([
            (Self.member("t/char", .characterDevice(major: 1, minor: 3)), []),
            (Self.member("t/block", .blockDevice(major: 8, minor: 0)), []),
            (Self.member("t/dir"), [1]), (Self.member("t/fifo"), [1]), (Self.member("t/plain", .directory), []),
            (Self.member("t/suid", mode: 0o6755), [1]), (Self.member("t/sticky", .directory, mode: 0o7777), []),
        ])
        let refusals = try Self.unpack(archive, CopyPlan(directory: directory.path("copy"), name: nil))
        #expect(
            refusals == [
                "t/char": .deviceNode, "t/block": .deviceNode, "t/dir": .isADirectory, "t/fifo": .notReplaced,
                "t/plain": .notADirectory,
            ])
        #expect(try status("copy/suid").st_mode == S_IFREG | 0o755)
        #expect(try status("copy/sticky").st_mode == S_IFDIR | 0o777)
    }

    @Test("An archive that ends within a file leaves neither the file nor a temporary one")
    func truncated() throws {
        try make("copy")
        let archive = Self.archive([(Self.member("t/f"), [UInt8](repeating: 1, count: 5000))])
        let receiver = try TreeReceiver(CopyPlan(directory: directory.path("copy"), name: nil)) { _, _ in }
        try archive.prefix(3000).withUnsafeBytes { try receiver.take($0) }
        #expect(throws: AgentError.brokenArchive("the archive ends within a member")) { try receiver.finish() }
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path("copy")) == [])
        let other = try TreeReceiver(CopyPlan(directory: directory.path("copy"), name: nil)) { _, _ in }
        #expect(throws: AgentError.self) {
            try [UInt8](repeating: 0x41, count: 1024).withUnsafeBytes { try other.take($0) }
        }
    }

    @Test("Temporary files that a killed copy of the same process number has left are in nobody's way")
    func leftTemporaries() throws {
        try make("here")
        for number in 1...3 {
            _ = try directory.file("here/.aerie-cp-\(getpid())-\(number)", Data("left".utf8))
        }
        let file = TarMember(path: Array("x/file".utf8), kind: .file, mode: 0o644)
        let link = TarMember(path: Array("x/link".utf8), kind: .symbolicLink(target: Array("file".utf8)), mode: 0o777)
        let plan = CopyPlan(directory: directory.path("here"), name: nil)
        #expect(try Self.unpack(Self.archive([(file, Array("new".utf8)), (link, [])]), plan).isEmpty)
        #expect(try String(contentsOfFile: directory.path("here/link"), encoding: .utf8) == "new")
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path("here")).count == 5)
    }

    @Test("What cannot be read is named, and the rest of the tree is in the archive")
    func unreadable() throws {
        try make("tree")
        _ = try directory.file("tree/a", [1])
        _ = try directory.file("tree/z", [2])
        let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(directory.path("tree/s").utf8)) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(bound == 0)
        let refusals = Refusals()
        let archive = try Self.archive(directory.path("tree"), name: "t", refusals)
        #expect(refusals.all == ["t/s": .deviceNode])
        try make("copy")
        #expect(try Self.unpack(archive, CopyPlan(directory: directory.path("copy"), name: nil)) == [:])
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path("copy"))
        #expect(names.sorted() == ["a", "z"])
    }
}
