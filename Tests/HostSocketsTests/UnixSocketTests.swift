import CSockets
import Glibc
import GuestToolchain
import HostSystem
import Synchronization
import TestSupport
import Testing

@testable import HostSockets

@Suite("Sockets of Unix for a guest") struct UnixSocketTests {
    /// A backend on a loop of its own, and the streams that programs want.
    private final class Side {
        let directory = TemporaryDirectory()
        let loop: EventLoop
        let backend: UnixSocketBackend
        private let wanted = Wanted()

        init() throws {
            loop = try EventLoop(name: "sockets-test")
            backend = try UnixSocketBackend(path: directory.path("vm.sock"))
            try loop.start()
            try backend.start(on: loop, log: .silent) { [wanted] stream, port in
                wanted.streams.withLock { $0.append((stream, port)) }
            }
        }

        deinit {
            backend.stop()
            let streams = wanted.streams.withLock { $0 }
            loop.sync { for (stream, _) in streams { stream.close() } }
            loop.stop()
        }

        var path: String { directory.path("vm.sock") }
        var count: Int { wanted.streams.withLock(\.count) }
        var ports: [UInt32] { wanted.streams.withLock { $0.map(\.1) } }
        func stream(_ index: Int) -> any HostStream { wanted.streams.withLock { $0[index].0 } }

        /// A guest's connection to a port of the host.
        func connect(_ port: UInt32) -> (any HostStream)? { loop.sync { [backend] in backend.connect(port: port) } }

        /// What a stream has received, up to 64 bytes.
        func receive(_ stream: any HostStream) -> (ReceivedBytes, [UInt8]) {
            loop.sync {
                var bytes = [UInt8](repeating: 0, count: 64)
                let result = bytes.withUnsafeMutableBytes { buffer in
                    let half = UnsafeMutableRawBufferPointer(rebasing: buffer[..<3])
                    return stream.receive(into: [half, UnsafeMutableRawBufferPointer(rebasing: buffer[3...])])
                }
                if case .bytes(let count) = result { return (result, Array(bytes[..<count])) }
                return (result, [])
            }
        }
    }

    private final class Wanted: Sendable {
        let streams = Mutex<[(any HostStream, UInt32)]>([])
    }

    @Test("A program names a port of the guest, and what follows is the guest's")
    func request() throws {
        let side = try Side()
        var status = stat()
        #expect(stat(side.path, &status) == 0)
        #expect(status.st_mode == S_IFSOCK | 0o600)
        let program = try #require(Program(connectingTo: side.path))
        program.write("CONNECT 7000\nhello")
        #expect(Patience.wait { side.count == 1 })
        #expect(side.ports == [7000])
        let stream = side.stream(0)
        #expect(side.receive(stream).1 == Array("hello".utf8))
        #expect(side.receive(stream).0 == .none)
        side.loop.sync { Array("OK 1073741825\n".utf8).withUnsafeBytes { stream.send([$0]) } }
        #expect(program.readText(14) == "OK 1073741825\n")
        // Byte by byte.
        let slow = try #require(Program(connectingTo: side.path))
        for character in "CONNECT 4294967295" {
            slow.write(String(character))
            side.loop.sync {}
        }
        #expect(side.count == 1)
        slow.write("\n")
        #expect(Patience.wait { side.count == 2 })
        #expect(side.ports[1] == .max)
    }

    @Test(
        "A line that names no port ends the connection",
        arguments: [
            "connect 1\n", "CONNECT \n", "CONNECT 4294967296\n", "CONNECT 1 \n", "CONNECT -1\n", "CONNECT 1\r\n", "\n",
            "GET / HTTP/1.1\n", "CONNECT 00000000000000000000000000000001",
        ])
    func malformed(_ line: String) throws {
        let side = try Side()
        let program = try #require(Program(connectingTo: side.path))
        program.write(line)
        #expect(program.isAtEnd)
        #expect(side.count == 0)
    }

    @Test("Programs that name no port are bounded, and the latest are kept")
    func undecided() throws {
        let side = try Side()
        var programs: [Program] = []
        for _ in 0..<70 {
            // The queue of the socket may be full for a moment.
            #expect(
                Patience.wait {
                    guard let program = Program(connectingTo: side.path) else { return false }
                    programs.append(program)
                    return true
                })
        }
        for program in programs.prefix(6) { #expect(program.isAtEnd) }
        programs[6].write("CONNECT 1\n")
        #expect(Patience.wait { side.count == 1 })
        programs[69].end()
    }

    @Test("A guest reaches the program that listens at its port's path, and none where nobody does")
    func connection() throws {
        let side = try Side()
        let absent = side.connect(80)
        #expect(absent == nil)
        let listener = aerie_stream_listen("\(side.path)_80")
        defer { close(listener) }
        let stream = try #require(side.connect(80))
        let program = try #require(Program(accepting: listener))
        program.write("welcome")
        program.endSending()
        #expect(Patience.wait { side.receive(stream).1 == Array("welcome".utf8) })
        #expect(Patience.wait { side.receive(stream).0 == .end })
        let isHungUp = side.loop.sync { stream.isHungUp }
        #expect(!isHungUp)
        side.loop.sync {
            Array("bye".utf8).withUnsafeBytes { stream.send([$0]) }
            stream.endSending()
        }
        #expect(program.readText(3) == "bye")
        #expect(program.isAtEnd)
        side.loop.sync { stream.close() }
    }

    @Test("Bytes that a program does not take wait for it, in order, and the end waits behind them")
    func waiting() throws {
        let side = try Side()
        let listener = aerie_stream_listen("\(side.path)_80")
        defer { close(listener) }
        let stream = try #require(side.connect(80))
        let program = try #require(Program(accepting: listener))
        let piece = (0..<65536).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 5) }
        var count = 0
        while side.loop.sync({ stream.waitingCount }) == 0 {
            side.loop.sync {
                piece.withUnsafeBytes { bytes in
                    stream.send([
                        UnsafeRawBufferPointer(rebasing: bytes[..<1000]),
                        UnsafeRawBufferPointer(rebasing: bytes[1000...]),
                    ])
                }
            }
            count += 1
        }
        side.loop.sync { stream.endSending() }
        for _ in 0..<count { #expect(program.read(piece.count) == piece) }
        #expect(program.isAtEnd)
        let isDone = side.loop.sync { stream.waitingCount == 0 && !stream.isBroken }
        #expect(isDone)
        program.end()
        side.loop.sync { stream.close() }
    }

    @Test("A program that does not end its direction leaves the loop at rest when the guest has ended its own")
    func halfClosed() throws {
        let side = try Side()
        let listener = aerie_stream_listen("\(side.path)_80")
        defer { close(listener) }
        let stream = try #require(side.connect(80))
        let program = try #require(Program(accepting: listener))
        let calls = Monitor(0)
        side.loop.sync {
            stream.handler = { calls.withLock { $0 += 1 } }
            stream.endSending()
        }
        #expect(program.isAtEnd)
        // Time in which a loop that woke itself would turn thousands of times.
        usleep(50_000)
        #expect(calls.withLock { $0 } < 10)
        program.write("more")
        #expect(Patience.wait { side.receive(stream).1 == Array("more".utf8) })
        side.loop.sync { stream.close() }
    }

    @Test("A program that is gone takes nothing, and holds nothing up")
    func gone() throws {
        let side = try Side()
        let program = try #require(Program(connectingTo: side.path))
        program.write("CONNECT 1\n")
        #expect(Patience.wait { side.count == 1 })
        let stream = side.stream(0)
        program.end()
        #expect(Patience.wait { side.loop.sync { stream.isHungUp } })
        side.loop.sync { [1, 2, 3].withUnsafeBytes { stream.send([$0]) } }
        let isBroken = side.loop.sync { stream.isBroken && stream.waitingCount == 0 }
        #expect(isBroken)
        #expect(side.receive(stream).0 == .end)
    }

    // MARK: The socket's file

    @Test("A file that nobody listens at any more is replaced, and the own file is removed at the end")
    func leftOver() throws {
        let directory = TemporaryDirectory()
        let path = directory.path("vm.sock")
        close(aerie_stream_listen(path))
        #expect(access(path, F_OK) == 0)
        do {
            let backend = try UnixSocketBackend(path: path)
            #expect(Program(connectingTo: path) != nil)
            backend.stop()
        }
        #expect(access(path, F_OK) != 0)
        #expect(try directory.names() == [])
    }

    @Test("A socket that another program listens at, and a file of another kind, stay")
    func occupied() throws {
        let directory = TemporaryDirectory()
        let path = directory.path("vm.sock")
        let listener = aerie_stream_listen(path)
        #expect(throws: SystemError("bind \(path)", code: EADDRINUSE)) { _ = try UnixSocketBackend(path: path) }
        #expect(Program(connectingTo: path) != nil)
        close(listener)
        let file = try directory.file("file", [UInt8(1)])
        #expect(throws: SystemError("bind \(file)", code: EEXIST)) { _ = try UnixSocketBackend(path: file) }
        #expect(access(file, F_OK) == 0)
        #expect(throws: SystemError("bind /nowhere/x", code: ENOENT)) { _ = try UnixSocketBackend(path: "/nowhere/x") }
    }

    @Test("The file of a later program at the same path is not removed")
    func successor() throws {
        let directory = TemporaryDirectory()
        let path = directory.path("vm.sock")
        let backend = try UnixSocketBackend(path: path)
        unlink(path)
        let listener = aerie_stream_listen(path)
        defer { close(listener) }
        backend.stop()
        #expect(access(path, F_OK) == 0)
    }
}
