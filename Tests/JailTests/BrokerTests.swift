import CJail
import Foundation
import Glibc
import GuestToolchain
import HostNetwork
import HostSystem
import Testing

@testable import Jail

@Suite("The monitor's broker") struct BrokerTests {
    private let directory = TemporaryDirectory()

    /// Calls `body` with a client while the calling thread serves it, and returns the result.
    private func serving<Result: Sendable>(
        _ broker: Broker, _ body: @escaping @Sendable (BrokerClient, Int32) -> Result
    ) throws -> Result {
        var ends: [Int32] = [-1, -1]
        try #require(aerie_jail_socket_pair(&ends) == 0)
        let (own, theirs) = (ends[0], ends[1])
        let result = Monitor<Result?>(nil)
        let thread = try HostThread(name: "client") {
            let value = body(BrokerClient(socket: theirs), theirs)
            result.update { $0 = value }
            close(theirs)
        }
        while aerie_jail_await_readable(own, -1) == 1, broker.serve(own) {}
        thread.join()
        close(own)
        return try #require(result.withLock { $0 })
    }

    private func listen(_ path: String) throws -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let socket = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0 && Glibc.listen(socket, 8) == 0)
        return socket
    }

    @Test("A port leads to the program that serves it, and to nothing else")
    func connecting() throws {
        var settings = JailSettings()
        settings.socketPath = directory.path("vsock")
        let listener = try listen(directory.path("vsock_52"))
        defer { close(listener) }
        let results = try serving(Broker(settings)) { client, _ in
            let sockets = [client.connect(port: 52), client.connect(port: 53)]
            let count = write(sockets[0], "hello", 5)
            for socket in sockets where socket >= 0 { close(socket) }
            return (sockets[1], count)
        }
        #expect(results.0 == -1)
        #expect(results.1 == 5)
        let accepted = accept(listener, nil, nil)
        var bytes = [UInt8](repeating: 0, count: 8)
        #expect(read(accepted, &bytes, 8) == 5)
        #expect(bytes.prefix(5).elementsEqual("hello".utf8))
        close(accepted)
    }

    @Test("Requests that the settings do not allow are refused: other cards, and connections without a path")
    func refusing() throws {
        var settings = JailSettings()
        settings.passt = [JailSettings.Passt(card: 1, path: "/bin/true", arguments: [])]
        let errors = try serving(Broker(settings)) { client, _ -> [Int32] in
            [Int32(0), 2, -1].map { card -> Int32 in
                do throws(SystemError) {
                    _ = try client.request(.startPasst, UInt32(bitPattern: card))
                    return 0
                } catch { return error.code }
            } + [client.connect(port: 1)]
        }
        #expect(errors == [EPERM, EPERM, EPERM, -1])
    }

    @Test(
        "passt runs with the settings' command line, its socket and its messages arrive, and it ends with the machine")
    func passt() throws {
        // Writes its arguments to its socket, and then waits for the socket's end.
        let script = try directory.file(
            "passt", Data("#!/bin/sh\necho \"$@\" >&3\necho a word >&2\nexec cat <&3\n".utf8))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script)
        var settings = JailSettings()
        settings.passt = [JailSettings.Passt(card: 3, path: script, arguments: ["--one", "two"])]
        let broker = Broker(settings)
        let (line, message) = try serving(broker) { client, _ -> (String, String?) in
            guard let connection = try? client.passt(card: 3).start() else { return ("", nil) }
            let socket = connection.socket.rawValue
            var bytes = [UInt8](repeating: 0, count: 100)
            _ = aerie_jail_await_readable(socket, -1)
            let count = read(socket, &bytes, 100)
            var message: String?
            while message == nil { message = connection.program.lastMessage() }
            return (String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self), message)
        }
        #expect(line == "--foreground --fd 3 --one two\n")
        #expect(message == "a word")
        broker.finish()
    }

    @Test(
        "A card that has come since is asked for outside of the machine: its passt starts if it is known there, and then only"
    )
    func laterCards() throws {
        let script = try directory.file("passt", Data("#!/bin/sh\nexec cat <&3\n".utf8))
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: script)
        var asked: [Int] = []
        let later = { (card: Int) -> JailSettings.Passt? in
            asked.append(card)
            return card == 257 ? JailSettings.Passt(card: card, path: script, arguments: []) : nil
        }
        let broker = Broker(JailSettings(), laterPasst: later)
        let errors = try serving(broker) { client, _ -> [Int32] in
            [257, 258, 0, 1024, UInt32.max].map { card -> Int32 in
                do throws(SystemError) {
                    _ = try client.request(.startPasst, card)
                    return 0
                } catch { return error.code }
            }
        }
        #expect(errors == [0, EPERM, EPERM, EPERM, EPERM])
        #expect(asked == [257, 258])
        broker.finish()
    }

    @Test("So many requests in a time, and no more")
    func budget() throws {
        var time: UInt64 = 1
        var settings = JailSettings()
        settings.socketPath = directory.path("vsock")
        let broker = Broker(settings, clock: { time })
        func codes(_ count: Int) throws -> [Int32] {
            try serving(broker) { client, _ in
                (0..<count).map { _ in
                    do throws(SystemError) {
                        _ = try client.request(.connect, 9)
                        return 0
                    } catch { return error.code }
                }
            }
        }
        let first = try codes(514)
        #expect(first.prefix(512).allSatisfy { $0 == ENOENT })
        #expect(first.suffix(2) == [EAGAIN, EAGAIN])
        time += 10_000_000_000
        #expect(try codes(1) == [ENOENT])
    }

    @Test("Messages of a wrong size, of unknown kinds, and with descriptors nobody asked for change nothing")
    func malformed() throws {
        var settings = JailSettings()
        settings.socketPath = directory.path("vsock")
        let listener = try listen(directory.path("vsock_1"))
        defer { close(listener) }
        let connected = try serving(Broker(settings)) { client, socket in
            var bytes = [UInt8](repeating: 0xFF, count: 64)
            for count in [1, 15, 17, 64] { _ = send(socket, &bytes, count, 0) }
            for kind: UInt32 in [0, 1, 5, 6, 7, 8, .max] {
                var message = aerie_jail_message(kind: kind, sequence: 1, argument: 1, result: 0)
                var descriptors: [Int32] = [0, 1]
                _ = aerie_jail_send(socket, &message, &descriptors, 2)
            }
            let connection = client.connect(port: 1)
            defer { close(connection) }
            return connection >= 0
        }
        #expect(connected)
    }

    @Test("The first forbidden call is kept, with the thread's role")
    func forbiddenCall() throws {
        let broker = Broker(JailSettings())
        _ = try serving(broker) { _, socket in
            for (number, role): (UInt32, UInt32) in [(59, 1), (41, 2)] {
                var message = aerie_jail_message(kind: 4, sequence: 0, argument: number, result: role)
                _ = aerie_jail_send(socket, &message, nil, 0)
            }
        }
        #expect(
            broker.forbiddenCall?.description
                == "a vCPU's thread made the system call 'execve' (59), which the jail forbids")
    }

    @Test("A socket's file that nobody listens at goes with the machine; others stay")
    func leftOver() throws {
        let (dead, alive, file) = (directory.path("dead"), directory.path("alive"), try directory.file("file", Data()))
        close(try listen(dead))
        let listener = try listen(alive)
        defer { close(listener) }
        for path in [dead, alive, file] {
            var settings = JailSettings()
            settings.socketPath = path
            Broker(settings).finish()
        }
        #expect(try Set(directory.names()) == ["alive", "file"])
    }
}
