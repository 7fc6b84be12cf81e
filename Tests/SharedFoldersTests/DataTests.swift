import Glibc
import GuestToolchain
import SharedFolders
import Testing

/// Contents of files.
@Suite struct DataTests {
    private let directory = TemporaryDirectory()

    private func contents(_ name: String) throws -> [UInt8] { try directory.contents(directory.path(name)) }

    @Test(
        "What is written is read, on the host as well, at once and in pieces of any length", arguments: [true, false])
    func roundTrip(immediate: Bool) throws {
        let client = try FUSEClient(directory)
        client.triesImmediate = immediate
        let data = (0..<300_001).map { UInt8(truncatingIfNeeded: $0 &* 7 ^ $0 >> 8) }
        let (file, handle) = try client.create("file")
        for start in stride(from: 0, to: data.count, by: 65_537) {
            let part = Array(data[start..<min(start + 65_537, data.count)])
            #expect(try client.write(handle, at: UInt64(start), part) == UInt32(part.count))
        }
        #expect(try contents("file") == data)
        #expect(try client.attributes(file.node).size == UInt64(data.count))
        for (offset, count) in [(0, 4096), (1, 1), (299_999, 100), (300_001, 10), (123_456, 177_000)] {
            let expected = Array(data[offset..<min(offset + count, data.count)])
            #expect(try client.read(handle, at: UInt64(offset), UInt32(count)) == expected)
        }
        try client.release(handle)
        #expect(throws: FileError(EBADF)) { try client.read(handle, 1) }
    }

    @Test("Appending goes to the end that the host's file has; a page of the guest's cache keeps its place")
    func appending() throws {
        let client = try FUSEClient(directory)
        let handle = try client.create("log", flags: O_WRONLY | O_APPEND).handle
        try client.write(handle, at: 0, Array("guest ".utf8), flags: O_APPEND)
        let host = open(directory.path("log"), O_WRONLY | O_APPEND)
        #expect(Glibc.write(host, "host ", 5) == 5)
        close(host)
        // The guest still takes the file to be shorter.
        try client.write(handle, at: 6, Array("again".utf8), flags: O_APPEND)
        #expect(try contents("log") == Array("guest host again".utf8))
        try client.write(handle, at: 0, Array("G".utf8), options: 1, flags: O_APPEND)
        #expect(try contents("log") == Array("Guest host again".utf8))
    }

    @Test("Holes are found, made and filled")
    func holes() throws {
        let client = try FUSEClient(directory)
        let (file, handle) = try client.create("sparse")
        try client.write(handle, at: 1 << 20, Array(repeating: 7, count: 65536))
        #expect(try client.attributes(file.node).size == 1 << 20 + 65536)
        func seek(_ offset: UInt64, _ kind: UInt32) throws -> UInt64 {
            try client.call(46, 0, .longs(handle, offset) + .words(kind, 0)).integer(at: 0)
        }
        #expect(try seek(0, 3) == 1 << 20)
        #expect(try seek(0, 4) == 0)
        #expect(try seek(1 << 20, 4) == 1 << 20 + 65536)
        #expect(throws: FileError(ENXIO)) { try seek(1 << 30, 3) }
        #expect(throws: FileError(EINVAL)) { try seek(0, 0) }
        func allocate(_ mode: UInt32, _ offset: UInt64, _ length: UInt64) throws {
            try client.call(43, 0, .longs(handle, offset, length) + .words(mode, 0))
        }
        // FALLOC_FL_PUNCH_HOLE with KEEP_SIZE, then room behind the end.
        try allocate(3, 1 << 20, 4096)
        #expect(try client.read(handle, at: 1 << 20, 4097) == Array(repeating: 0, count: 4096) + [7])
        try allocate(0, 2 << 20, 4096)
        #expect(try client.attributes(file.node).size == 2 << 20 + 4096)
        #expect(throws: FileError(EOPNOTSUPP)) { try allocate(8, 0, 4096) }
    }

    @Test("A range is copied by the host, within and between files")
    func copyRange() throws {
        let client = try FUSEClient(directory)
        let source = try client.create("source").handle
        try client.write(source, Array("0123456789".utf8))
        let target = try client.create("target")
        func copy(_ from: UInt64, _ fromOffset: UInt64, _ to: UInt64, _ toOffset: UInt64, _ length: UInt64) throws
            -> UInt32
        {
            try client.call(47, 0, .longs(from, fromOffset, target.entry.node, to, toOffset, length, 0)).integer(at: 0)
        }
        #expect(try copy(source, 2, target.handle, 3, 5) == 5)
        #expect(try contents("target") == [0, 0, 0] + Array("23456".utf8))
        #expect(try copy(source, 8, target.handle, 0, .max) == 2)
        let reader = try client.open(target.entry.node, O_RDONLY).handle
        #expect(throws: FileError(EBADF)) { try copy(source, 0, reader, 0, 1) }
        #expect(throws: FileError(EINVAL)) { try copy(source, .max, target.handle, 0, 1) }
    }

    @Test("A file is cut and grown by its name and through a handle")
    func truncation() throws {
        let client = try FUSEClient(directory)
        let (file, handle) = try client.create("file")
        try client.write(handle, Array("text".utf8))
        #expect(try client.set(file.node, 8, size: 2).size == 2)
        #expect(try client.set(file.node, 8 | 64, size: 3, handle: handle).size == 3)
        #expect(try contents("file") == Array("te".utf8) + [0])
        // A handle that cannot write does not get in the way of a guest that may.
        let reader = try client.open(file.node, O_RDONLY).handle
        #expect(try client.set(file.node, 8 | 64, size: 1, handle: reader).size == 1)
        _ = try client.open(file.node, O_WRONLY | O_TRUNC)
        #expect(try contents("file") == [])
        #expect(throws: FileError(EFBIG)) { try client.set(file.node, 8, size: .max) }
    }

    @Test("The guest keeps its cache of a file only as long as nobody else has changed the file")
    func cache() throws {
        _ = try directory.file("file", Array("one".utf8))
        let client = try FUSEClient(directory)
        let file = try client.lookUp("file")
        #expect(try client.open(file.node).flags == 0)
        #expect(try client.open(file.node).flags == 2)
        _ = try directory.file("file", Array("other".utf8))
        #expect(try client.open(file.node).flags == 0 || client.lookUp("file").node != file.node)
    }

    @Test("Attributes and names hold for less than a second, and the guest does not hold writes back")
    func freshness() throws {
        let client = try FUSEClient(directory)
        let reply = try client.call(26, 0, .words(7, 41, 1 << 17, .max) + [UInt8](repeating: 0, count: 48))
        let flags: UInt32 = reply.integer(at: 12)
        #expect(flags & 1 << 16 == 0)
        #expect(flags & 1 << 12 != 0)
        #expect(reply.integer(at: 20, as: UInt32.self) == 1 << 20)
        for payload in [try client.call(1, 1, .text("missing")), try client.call(3, 1, .words(0, 0) + .longs(0))] {
            let isEntry = payload.count == 128
            #expect(payload.integer(at: isEntry ? 16 : 0, as: UInt64.self) == 0)
            #expect(payload.integer(at: isEntry ? 32 : 8, as: UInt32.self) < 1_000_000_000)
        }
        #expect(throws: FileError(EPROTO)) { try client.call(26, 0, .words(7, 30, 0, 0)) }
        #expect(throws: FileError(EPROTO)) { try client.call(26, 0, .words(6, 41, 0, 0)) }
    }

    @Test("Extended attributes of users are kept on the host, those with a meaning for the host are not the guest's")
    func extended() throws {
        let client = try FUSEClient(directory)
        let file = try client.create("file").entry
        try client.setExtended(file.node, "user.color", Array("blue".utf8))
        #expect(try client.extended(file.node, "user.color") == Array("blue".utf8))
        #expect(try client.call(22, file.node, .words(0, 0) + .text("user.color")).integer(at: 0, as: UInt32.self) == 4)
        #expect(try client.call(23, file.node, .words(1024, 0)) == .text("user.color"))
        #expect(throws: FileError(ERANGE)) { try client.call(23, file.node, .words(3, 0)) }
        #expect(throws: FileError(EEXIST)) {
            try client.call(21, file.node, .words(1, 1) + .text("user.color") + [1])
        }
        for name in ["security.capability", "trusted.overlay.opaque", "system.posix_acl_access"] {
            #expect(throws: FileError(EOPNOTSUPP)) { try client.setExtended(file.node, name, [1]) }
            #expect(throws: FileError(EOPNOTSUPP)) { try client.extended(file.node, name) }
        }
        #expect(throws: FileError(EPERM)) {
            try client.setExtended(file.node, "user.aerie.owner", Array("0:0:4755".utf8))
        }
        #expect(throws: FileError(EINVAL)) { try client.call(21, file.node, .words(100, 0) + .text("user.a") + [1]) }
        #expect(throws: FileError(E2BIG)) { try client.call(21, file.node, .words(.max, 0) + .text("user.a")) }
        try client.call(24, file.node, .text("user.color"))
        #expect(throws: FileError(ENODATA)) { try client.extended(file.node, "user.color") }
    }

    @Test("A whole share is made durable, and says how large it is")
    func volume() throws {
        let client = try FUSEClient(directory)
        let (_, handle) = try client.create("file")
        let list = try client.openDirectory()
        for options in [0, 1] as [UInt32] {
            #expect(try client.call(20, 0, .longs(handle) + .words(options, 0)) == [])
            #expect(try client.call(30, 0, .longs(list) + .words(options, 0)) == [])
        }
        #expect(try client.call(50, 1, .longs(0)) == [])
        let volume = try client.call(17, 1)
        #expect(volume.count == 80)
        #expect(volume.integer(at: 0, as: UInt64.self) > 0)
    }
}
