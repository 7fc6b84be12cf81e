import Foundation
import Glibc
import GuestToolchain
import SharedFolders
import TestSupport
import Testing

/// Requests that no kernel sends.
@Suite struct HostileTests {
    private let directory = TemporaryDirectory()

    @Test("A request that is shorter than its operation's arguments is refused, and changes nothing")
    func shortBodies() throws {
        _ = try directory.file("file", Array("text".utf8))
        let client = try FUSEClient(directory)
        let file = try client.lookUp("file")
        let handle = try client.open(file.node).handle
        // Every operation but those without arguments, and INIT, which begins anew.
        for operation in 1...60 as ClosedRange<UInt32> where ![5, 17, 26, 36, 38].contains(operation) {
            for length in 0..<8 {
                let body = Array([UInt8].longs(handle).prefix(length))
                let silent = operation == 2 || operation == 42
                guard !silent else {
                    #expect(try client.call(operation, file.node, body) == [])
                    continue
                }
                #expect(throws: FileError.self, "\(operation) with \(length) bytes") {
                    try client.call(operation, file.node, body)
                }
            }
        }
        #expect(try client.names() == ["file"])
        #expect(try directory.contents(directory.path("file")) == Array("text".utf8))
        #expect(try client.attributes(file.node) == file.attributes)
    }

    @Test("Headers that do not fit their request are no requests")
    func headers() throws {
        func request(_ bytes: [UInt8], length: Int) -> FileRequest? {
            FileRequest(bytes, length: length, output: TransferBuffers(), room: 0)
        }
        let header = [UInt8].words(40, 3) + .longs(1, 1) + .words(0, 0, 0, 0)
        #expect(request(header, length: 40) != nil)
        #expect(request(header, length: 4096) != nil)
        #expect(request(Array(header.dropLast()), length: 39) == nil)
        #expect(request([], length: 0) == nil)
        for stated in [0, 39, 41, .max] as [UInt32] {
            #expect(request(.words(stated) + header.dropFirst(4), length: 40) == nil)
        }
        #expect(FileRequest.copiedSize(header: header, length: .max) == 40 + FileRequest.longestBody)
        #expect(FileRequest.copiedSize(header: .words(99, 16) + header.dropFirst(8), length: 1 << 20) == 80)
    }

    @Test("Numbers of files and handles that nobody was told are refused by every operation")
    func unknownNumbers() throws {
        let client = try FUSEClient(directory)
        let (file, handle) = try client.create("file")
        let list = try client.openDirectory()
        for node in [0, 999, .max] as [UInt64] {
            #expect(throws: FileError(ESTALE)) { try client.lookUp("file", in: node) }
            #expect(throws: FileError(ESTALE)) { try client.attributes(node) }
            #expect(throws: FileError(ESTALE)) { try client.open(node) }
            #expect(throws: FileError(ESTALE)) { try client.openDirectory(node) }
            #expect(throws: FileError(ESTALE)) { try client.create("new", in: node) }
            #expect(throws: FileError(ESTALE)) { try client.link(node, as: "new") }
            #expect(throws: FileError(ESTALE)) { try client.rename("file", to: "new", into: node) }
            #expect(throws: FileError(ESTALE)) { try client.chmod(node, 0o600) }
            #expect(throws: FileError(ESTALE)) { try client.setExtended(node, "user.a", [1]) }
        }
        for number in [0, 999, .max, list] as [UInt64] {
            #expect(throws: FileError(EBADF)) { try client.read(number, 1) }
            #expect(throws: FileError(EBADF)) { try client.write(number, [1]) }
            #expect(throws: FileError(EBADF)) { try client.call(20, 0, .longs(number, 0)) }
            #expect(throws: FileError(EBADF)) { try client.call(43, 0, .longs(number, 0, 1, 0)) }
            #expect(throws: FileError(EBADF)) { try client.call(46, 0, .longs(number, 0, 3)) }
        }
        for number in [0, 999, handle] as [UInt64] {
            #expect(throws: FileError(EBADF)) { try client.list(number, from: 0, plus: true) }
            #expect(throws: FileError(EBADF)) { try client.call(30, 0, .longs(number, 0)) }
        }
        #expect(throws: FileError(EBADF)) { try client.release(999) }
        // A handle of another file says nothing about this one.
        let other = try client.create("other").entry
        let described = try client.call(3, other.node, .words(1, 0) + .longs(handle))
        #expect(FUSEClient.Attributes(described[16..<104]).inode == other.attributes.inode)
        try client.release(handle)
        #expect(throws: FileError(EBADF)) { try client.release(handle) }
        #expect(try client.attributes(file.node).links == 1)
    }

    @Test("More is forgotten than was known, and the root stays")
    func forgets() throws {
        let client = try FUSEClient(directory)
        let file = try client.create("file").entry
        let known = try client.makeDirectory("known")
        for count in [UInt64.max, 0, 1] {
            try client.forget(FUSEClient.root, count)
            try client.forget(known.node, count)
            try client.forget(12345, count)
        }
        #expect(throws: FileError(ESTALE)) { try client.attributes(known.node) }
        #expect(try client.attributes(FUSEClient.root).type == UInt32(S_IFDIR))
        // It is open still, and a number is never given to another file.
        try client.forget(file.node, .max)
        #expect(try client.attributes(file.node).links == 1)
        #expect(try client.lookUp("known").node > known.node)
        // A count of pairs that the request does not have.
        try client.call(42, 0, .words(.max, 0) + .longs(known.node, 1))
        #expect(try client.names().sorted() == ["file", "known"])
    }

    @Test("Offsets and sizes beyond what a file can have are refused, and no answer exceeds its room")
    func extremes() throws {
        let client = try FUSEClient(directory)
        let (file, handle) = try client.create("file")
        try client.write(handle, Array("text".utf8))
        for offset in [1 << 63, .max, UInt64(Int64.max)] as [UInt64] {
            #expect(throws: FileError(EINVAL)) { try client.read(handle, at: offset, 4096) }
            #expect(throws: FileError(EINVAL)) { try client.write(handle, at: offset, [1, 2]) }
        }
        #expect(throws: FileError(EINVAL)) { try client.call(46, 0, .longs(handle, .max, 3)) }
        #expect(throws: FileError(EINVAL)) { try client.call(43, 0, .longs(handle, 0, .max, 0)) }
        #expect(try client.read(handle, .max) == Array("text".utf8))
        // A write of more than the request carries, or than a request may have.
        #expect(throws: FileError(EINVAL)) { try client.write(handle, [1, 2], size: 3) }
        #expect(throws: FileError(EINVAL)) {
            try client.write(handle, Array(repeating: 1, count: 1 << 20 + 1))
        }
        #expect(try client.attributes(file.node).size == 4)
        // An attribute of which more is asked than there is room for; to the host, no room would be a question for the size.
        try client.setExtended(file.node, "user.name", Array("value".utf8))
        for room in 0..<5 {
            #expect(throws: FileError(ERANGE)) {
                try client.call(22, file.node, .words(UInt32(room + 1), 0) + .text("user.name"), room: room)
            }
        }
        let list = try client.openDirectory()
        #expect(try client.call(44, 0, .longs(list, 0) + .words(.max, 0) + .longs(0, 0), room: 200).count <= 200)
        #expect(throws: FileError.self) { try client.list(list, from: .max, plus: false) }
        #expect(throws: FileError(EINVAL)) {
            try client.call(4, file.node, .words(32, 0) + [UInt8](repeating: 0xFF, count: 80))
        }
        let link = try client.makeSymlink("link", to: String(repeating: "t", count: 4095))
        #expect(throws: FileError(ENAMETOOLONG)) {
            try client.makeSymlink("x", to: String(repeating: "t", count: 4096))
        }
        #expect(throws: FileError(ENAMETOOLONG)) { try client.call(5, link.node, room: 100) }
        #expect(throws: FileError(ENOENT)) { try client.makeSymlink("x", to: "") }
    }

    @Test("Files that the guest knows and has open are bounded, and room comes back")
    func bounds() throws {
        for name in 0..<20 { _ = try directory.file("\(name)", []) }
        var limits = FileServer.Limits()
        limits.nodes = 8
        limits.handles = 4
        let client = try FUSEClient(directory, limits: limits)
        let known = try (0..<7).map { try client.lookUp("\($0)").node }
        #expect(throws: FileError(ENFILE)) { try client.lookUp("7") }
        #expect(throws: FileError(ENFILE)) { try client.create("new") }
        // A list goes on without the numbers.
        #expect(try client.names(plus: true).count == 20)
        try client.forget(known[0], .max)
        #expect(try client.lookUp("7").node != 0)
        let handles = try (0..<4).map { _ in try client.open(known[1]).handle }
        #expect(throws: FileError(EMFILE)) { try client.open(known[1]) }
        #expect(throws: FileError(EMFILE)) { try client.openDirectory() }
        try client.release(handles[0])
        #expect(try client.open(known[1]).handle > handles[3])
    }

    @Test("Random requests are answered, and what they name stays inside")
    func random() throws {
        var generator = SeededGenerator(seed: 7)
        let outside = TemporaryDirectory()
        let inside = outside.path("share")
        #expect(mkdir(inside, 0o755) == 0)
        let server = try FileServer(path: inside, ownership: .caller, isReadOnly: false)
        let names = ["a", "b", "..", ".", "a/b", ""].map { [UInt8].text($0) }
        for _ in 0..<10_000 {
            var body: [UInt8] = []
            for _ in 0..<Int.random(in: 0...12, using: &generator) {
                if Bool.random(using: &generator) {
                    body += .longs(UInt64.random(in: 0...6, using: &generator))
                } else {
                    body += names.randomElement(using: &generator)!
                }
            }
            let operation = UInt32.random(in: 1...53, using: &generator)
            let bytes =
                [UInt8].words(UInt32(40 + body.count), operation)
                + .longs(1, UInt64.random(in: 0...6, using: &generator)) + .words(0, 0, 0, 0) + body
            let request = try #require(
                FileRequest(bytes, length: bytes.count, output: TransferBuffers(), room: 4096))
            let reply = server.serve(request, immediate: false)
            if case .payload(let payload)? = reply { #expect(payload.count <= 4096) }
            #expect(reply != nil)
        }
        #expect(try outside.names() == ["share"])
    }

    @Test("Several threads at the same names end with a tree that is whole")
    func threads() throws {
        let client = try FUSEClient(directory)
        let inner = try client.makeDirectory("inner")
        let server = client.server
        let loops = (0..<3).map { seed in
            let other = try! FUSEClient(sharing: server)
            let generator = Locked(SeededGenerator(seed: UInt64(seed)))
            return HostLoop {
                let (choice, name, to) = generator.with { generator in
                    (
                        Int.random(in: 0..<6, using: &generator), "\(Int.random(in: 0..<4, using: &generator))",
                        "\(Int.random(in: 0..<4, using: &generator))"
                    )
                }
                switch choice {
                case 0: if let made = try? other.create(name, in: inner.node) { try? other.release(made.handle) }
                case 1: try? other.unlink(name, in: inner.node)
                case 2: try? other.rename(name, in: inner.node, to: to)
                case 3: try? other.rename(name, to: to, into: inner.node, flags: 2)
                case 4: if let found = try? other.lookUp(name, in: inner.node) { try? other.forget(found.node) }
                default: _ = try? other.names(inner.node, plus: true)
                }
            }
        }
        for _ in 0..<1000 {
            if let made = try? client.create("0", in: inner.node) { try client.release(made.handle) }
            _ = try? client.rename("0", in: inner.node, to: "1")
        }
        for loop in loops { loop.stop() }
        for (parent, host) in [(FUSEClient.root, directory.path), (inner.node, directory.path("inner"))] {
            let names = try client.names(parent).sorted()
            #expect(try names == FileManager.default.contentsOfDirectory(atPath: host).sorted())
            for name in names { #expect(try client.lookUp(name, in: parent).node != 0) }
        }
        #expect(server.statistics.handles == 0)
    }
}
