import GuestToolchain
import Glibc
import HostSystem
import Testing

@testable import GuestImages

@Suite struct RootTreeTests {
    /// Makes an archive with one member after the ustar layout, for the reader to take in.
    private func archive(_ members: [(name: String, type: Character, link: String, mode: Int, data: String)]) -> [UInt8]
    {
        var bytes: [UInt8] = []
        for member in members {
            var header = [UInt8](repeating: 0, count: 512)
            func put(_ text: String, at offset: Int) {
                for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
            }
            func octal(_ value: Int, _ width: Int) -> String {
                let digits = String(value, radix: 8)
                return String(repeating: "0", count: width - digits.count) + digits
            }
            put(member.name, at: 0)
            put(octal(member.mode, 7), at: 100)
            put(octal(0, 7), at: 108)
            put(octal(42, 7), at: 116)
            put(octal(member.data.utf8.count, 11), at: 124)
            put(octal(1_000_000, 11), at: 136)
            put("        ", at: 148)
            put(String(member.type), at: 156)
            put(member.link, at: 157)
            put("ustar\u{0}00", at: 257)
            put(octal(header.reduce(0) { $0 + Int($1) }, 6) + "\u{0} ", at: 148)
            bytes += header + Array(member.data.utf8)
            bytes += [UInt8](repeating: 0, count: (512 - member.data.utf8.count % 512) % 512)
        }
        return bytes + [UInt8](repeating: 0, count: 1024)
    }

    private func unpack(
        _ members: [(name: String, type: Character, link: String, mode: Int, data: String)],
        in scratch: TemporaryDirectory
    ) throws -> RootTree {
        let path = "\(scratch.path)/a.tar"
        try Files.write(archive(members), to: path)
        var reader = try TarReader(path: path)
        let tree = try RootTree(directory: "\(scratch.path)/root")
        while let entry = try reader.next() { try tree.add(entry, from: reader) }
        return tree
    }

    @Test func linksToAbsolutePathsLeadIntoTheTreeNeverToTheHost() throws {
        let scratch = TemporaryDirectory()
        let tree = try unpack(
            [
                ("./run/", "5", "", 0o755, ""), ("./var/run", "2", "/run", 0o777, ""),
                ("./var/run/aerie-test-marker", "0", "", 0o644, "here"),
            ], in: scratch)
        #expect(tree.text("run/aerie-test-marker") == "here")
        #expect(Files.exists("\(scratch.path)/root/run/aerie-test-marker"))
        #expect(!Files.exists("/run/aerie-test-marker"))
    }

    @Test func aDirectoryWhereALinkStandsStaysTheLink() throws {
        let scratch = TemporaryDirectory()
        let tree = try unpack(
            [
                ("./bin", "2", "usr/bin", 0o777, ""), ("./usr/bin/", "5", "", 0o755, ""),
                ("./bin/", "5", "", 0o755, ""),
                ("./bin/tool", "0", "", 0o755, "tool"),
            ], in: scratch)
        #expect(Files.readLink("\(scratch.path)/root/bin") == "usr/bin")
        #expect(tree.text("usr/bin/tool") == "tool")
    }

    @Test func setIdBitsAndOwnersAreOnlyNotedAndCorrectedInTheImage() throws {
        let scratch = TemporaryDirectory()
        let tree = try unpack([("./usr/bin/su", "0", "", 0o4755, "x"), ("./dark", "0", "", 0, "y")], in: scratch)
        let status = try #require(Files.status("\(scratch.path)/root/usr/bin/su"))
        #expect(status.st_mode & 0o7777 == 0o755)
        #expect(status.st_mtim.tv_sec == 1_000_000)
        var commands = ""
        try RootDisk.corrections(of: "", in: tree, into: &commands)
        #expect(commands.contains("set_inode_field \"/usr/bin/su\" mode 0104755\n"))
        #expect(commands.contains("set_inode_field \"/usr/bin/su\" gid 42\n"))
        #expect(commands.contains("set_inode_field \"/dark\" mode 0100000\n"))
    }

    @Test func hardLinksShareTheirFile() throws {
        let scratch = TemporaryDirectory()
        _ = try unpack([("./a", "0", "", 0o644, "same"), ("./b", "1", "./a", 0o644, "")], in: scratch)
        let first = try #require(Files.status("\(scratch.path)/root/a"))
        let second = try #require(Files.status("\(scratch.path)/root/b"))
        #expect(first.st_ino == second.st_ino)
    }

    @Test(
        arguments: [
            [("../escape", Character("0"), "", 0o644, "x")], [("a/../../escape", "0", "", 0o644, "x")],
            [("dev/null", "3", "", 0o644, "")], [("b", "1", "../a", 0o644, "")],
        ] as [[(String, Character, String, Int, String)]])
    func membersThatLeaveTheArchiveOrAreNoFilesAreRefused(
        members: [(String, Character, String, Int, String)]
    ) throws {
        let scratch = TemporaryDirectory()
        #expect(throws: ImageError.self) {
            try unpack(members.map { (name: $0.0, type: $0.1, link: $0.2, mode: $0.3, data: $0.4) }, in: scratch)
        }
        #expect(!Files.exists("\(scratch.path)/escape"))
    }

    @Test func linksInALoopAreAnError() throws {
        let scratch = TemporaryDirectory()
        #expect(throws: ImageError.self) {
            try unpack([("a", "2", "b", 0, ""), ("b", "2", "a", 0, ""), ("a/x", "0", "", 0o644, "")], in: scratch)
        }
    }

    @Test func aDamagedHeaderAndACutOffMemberAreErrors() throws {
        let scratch = TemporaryDirectory()
        let path = "\(scratch.path)/a.tar"
        var bytes = archive([("file", "0", "", 0o644, String(repeating: "x", count: 600))])
        try Files.write(bytes[..<700], to: path)
        var cut = try TarReader(path: path)
        let entry = try #require(try cut.next())
        #expect(throws: ImageError.self) { try cut.contents(entry) }
        bytes[3] ^= 1
        try Files.write(bytes, to: path)
        var damaged = try TarReader(path: path)
        #expect(throws: ImageError.self) { try damaged.next() }
    }

    @Test func paxRecordsAreReadByTheirLength() {
        let records = TarReader.paxRecords(Array("19 path=a=b\nsecond\n12 mtime=12\n99 cut=".utf8))
        #expect(records.map(\.0) == ["path", "mtime"])
        #expect(records.map(\.1) == ["a=b\nsecond", "12"])
    }
}
