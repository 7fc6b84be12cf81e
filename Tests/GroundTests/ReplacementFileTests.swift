import Glibc
import GuestToolchain
import HostSystem
import Testing

@Suite("A file that replaces another one") struct ReplacementFileTests {
    private let directory = TemporaryDirectory()

    private func write(_ text: String, to replacement: borrowing ReplacementFile) throws {
        try Array(text.utf8).withUnsafeBytes { try replacement.file.writeAll($0) }
    }

    private func text(_ name: String) throws -> String {
        let file = try FileDescriptor(path: directory.path(name), flags: O_RDONLY)
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    private var names: [String] {
        get throws { try directory.names() }
    }

    @Test("It has the name when it is complete, and the old file until then")
    func commit() throws {
        _ = try directory.file("file", Array("old".utf8))
        var replacement = try ReplacementFile(replacing: directory.path("file"), mode: 0o600)
        try write("new", to: replacement)
        #expect(try text("file") == "old")
        try replacement.commit()
        #expect(try text("file") == "new")
        #expect(try names == ["file"])
    }

    @Test("One that is given up leaves nothing behind")
    func givenUp() throws {
        do {
            let replacement = try ReplacementFile(replacing: directory.path("file"), mode: 0o600)
            try write("half", to: replacement)
            #expect(try names.count == 1)
        }
        #expect(try names == [])
    }

    @Test("A file and a link in the way are neither written to nor removed")
    func inTheWay() throws {
        let victim = try directory.file("victim", Array("precious".utf8))
        let prefix = "\(directory.path("file")).\(getpid())"
        #expect(symlink(victim, "\(prefix).0.partial") == 0)
        _ = try directory.file("file.\(getpid()).1.partial", Array("left behind".utf8))
        var replacement = try ReplacementFile(replacing: directory.path("file"), mode: 0o600)
        try write("new", to: replacement)
        try replacement.commit()
        #expect(try text("victim") == "precious")
        #expect(try text("file.\(getpid()).1.partial") == "left behind")
        #expect(try text("file") == "new")
        #expect(try names.count == 4)
    }

    @Test("A failure to take the name leaves the old file and no other")
    func failure() throws {
        #expect(mkdir(directory.path("file"), 0o700) == 0)
        _ = try directory.file("file/inside", [])
        func code(_ path: String) -> Int32? {
            do throws(SystemError) {
                var replacement = try ReplacementFile(replacing: path, mode: 0o600)
                try replacement.commit()
                return nil
            } catch {
                return error.code
            }
        }
        #expect(code(directory.path("file")) == EISDIR)
        #expect(code(directory.path("absent/file")) == ENOENT)
        #expect(try names == ["file"])
    }
}
