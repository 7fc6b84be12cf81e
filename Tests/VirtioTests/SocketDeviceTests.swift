import HostSockets
import HostSystem
import SavedState
import Testing
import Virtio
import VirtioDevices

@Suite struct SocketDeviceTests {
    private static let room = 256 << 10

    // MARK: Connections

    @Test func theConfigurationHasTheGuestsCID() throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        #expect(driver.board.read(0x100) == 3)
        #expect(driver.board.read(0x104) == 0)
        #expect(driver.board.offeredFeatures & 0xFF_FFFF == 0)
    }

    @Test func aGuestTalksToAProgramOfTheHost() throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        try driver.send(TestPacket(TestPacket.request))
        let response = try driver.next()
        var expected = TestPacket(TestPacket.response, port: 1000, from: 80)
        (expected.source, expected.destination) = (2, 3)
        (expected.length, expected.room) = (0, UInt32(Self.room))
        #expect(response == expected)
        let stream = try #require(driver.sockets.streams.first)
        try driver.send(TestPacket(TestPacket.transfer, data: Array("hello".utf8)))
        try driver.board.wait("the bytes", until: { stream.incoming == Array("hello".utf8) })
        stream.act { $0.outgoing = Array("welcome".utf8) }
        let data = try driver.next()
        #expect((data.operation, data.data, data.length) == (TestPacket.transfer, Array("welcome".utf8), 7))
        #expect(data.forwarded == 5)
        try driver.send(TestPacket(TestPacket.shutdown, flags: 3))
        #expect(try driver.next().operation == TestPacket.reset)
        #expect(stream.state.withLock { $0.isClosed && $0.guestEndedSending && $0.guestEndedReceiving })
    }

    @Test func aPortThatNobodyServesIsRefused() throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        try driver.send(TestPacket(TestPacket.request, port: 81))
        let answer = try driver.next()
        #expect((answer.operation, answer.sourcePort, answer.destinationPort) == (TestPacket.reset, 81, 1000))
    }

    @Test func aProgramOfTheHostTalksToTheGuest() throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        let stream = driver.sockets.want(port: 7000)
        stream.act { $0.outgoing = Array("first".utf8) }
        let request = try driver.next()
        #expect((request.operation, request.destinationPort) == (TestPacket.request, 7000))
        #expect(request.sourcePort > 1 << 30)
        try driver.send(TestPacket(TestPacket.response, port: request.sourcePort, from: 7000))
        #expect(try driver.next().data == Array("first".utf8))
        #expect(stream.incoming == Array("OK \(request.sourcePort)\n".utf8))
        // A second answer is against the rules.
        try driver.send(TestPacket(TestPacket.response, port: request.sourcePort, from: 7000))
        #expect(try driver.next().operation == TestPacket.reset)
        #expect(stream.isClosed)
    }

    @Test func aGuestThatDoesNotListenClosesTheProgramsConnection() throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        let refused = driver.sockets.want(port: 1)
        let request = try driver.next()
        try driver.send(TestPacket(TestPacket.reset, port: request.sourcePort, from: 1))
        try driver.board.wait("the end", until: { refused.isClosed })
        #expect(refused.incoming == [])
        // Data before the answer break the rules, too.
        let early = driver.sockets.want(port: 2)
        let second = try driver.next()
        #expect(second.sourcePort == request.sourcePort + 1)
        try driver.send(TestPacket(TestPacket.transfer, port: second.sourcePort, from: 2, data: [1]))
        #expect(try driver.next().operation == TestPacket.reset)
        #expect(early.state.withLock { $0.isClosed && $0.incoming.isEmpty })
        // A program that gives up takes its request back.
        let gone = driver.sockets.want(port: 3)
        #expect(try driver.next().operation == TestPacket.request)
        gone.act { $0.isHungUp = true }
        #expect(try driver.next().operation == TestPacket.reset)
    }

    // MARK: Credit

    @Test func aProgramThatDoesNotReadHoldsUpItsConnectionAlone() throws {
        let driver = try SocketDriver(serving: [80, 81])
        defer { driver.stop() }
        driver.sockets.state.update { $0.appetite = 1000 }
        let stalled = try driver.open(80)
        driver.sockets.state.update { $0.appetite = .max }
        let other = try driver.open(81, from: 1001)
        let piece = [UInt8](repeating: 7, count: 8192)
        for _ in 0..<Self.room / piece.count { try driver.send(TestPacket(TestPacket.transfer, data: piece)) }
        #expect(stalled.waitingCount == Self.room - 1000)
        try driver.send(TestPacket(TestPacket.transfer, port: 81, from: 1001, data: [1, 2, 3]))
        try driver.board.wait("the bytes", until: { other.incoming == [1, 2, 3] })
        // The guest is told of room when there is a good part of it.
        stalled.act { $0.appetite = Self.room / 4 - 1001 }
        driver.settle()
        #expect(!driver.hasNext)
        stalled.act { $0.appetite = 1 }
        let update = try driver.next()
        #expect((update.operation, update.forwarded) == (TestPacket.update, UInt32(Self.room / 4)))
        // One byte more than there is room for ends the connection.
        try driver.send(TestPacket(TestPacket.transfer, data: [UInt8](repeating: 7, count: 8193)))
        let more = Self.room / 4 / piece.count - 2
        for _ in 0..<more { try driver.send(TestPacket(TestPacket.transfer, data: piece)) }
        #expect(!stalled.isClosed)
        try driver.send(TestPacket(TestPacket.transfer, data: piece))
        #expect(try driver.next().operation == TestPacket.reset)
        #expect(stalled.isClosed)
        #expect(!other.isClosed)
    }

    @Test func theGuestGetsNoMoreThanItHasRoomFor() throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        let stream = try driver.open(room: 10)
        stream.act { $0.outgoing = Array(0..<25) }
        #expect(try driver.next().data == Array(0..<10))
        #expect(try driver.next().operation == TestPacket.creditRequest)
        driver.settle()
        #expect(!driver.hasNext)
        var update = TestPacket(TestPacket.update)
        (update.room, update.forwarded) = (10, 4)
        try driver.send(update)
        #expect(try driver.next().data == Array(10..<14))
        #expect(try driver.next().operation == TestPacket.creditRequest)
        // A guest that says it passed on what it never got has no room.
        (update.room, update.forwarded) = (10, 1000)
        try driver.send(update)
        #expect(try driver.next().operation == TestPacket.creditRequest)
        (update.room, update.forwarded) = (100, 14)
        try driver.send(update)
        #expect(try driver.next().data == Array(14..<25))
        try driver.send(TestPacket(TestPacket.creditRequest))
        #expect(try driver.next().operation == TestPacket.update)
    }

    @Test func connectionsTakeTurns() throws {
        let driver = try SocketDriver(serving: [80, 81])
        defer { driver.stop() }
        let (first, second) = (try driver.open(80), try driver.open(81, from: 1001))
        TestLoop.shared.sync {
            first.state.update { $0.outgoing = [UInt8](repeating: 1, count: 10_000) }
            second.state.update { $0.outgoing = [UInt8](repeating: 2, count: 10_000) }
            first.handler?()
            second.handler?()
        }
        let ports = try (0..<6).map { _ in try driver.next().sourcePort }
        #expect(ports == [80, 81, 80, 81, 80, 81])
    }

    // MARK: Ends

    @Test func eachDirectionEndsByItself() throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        let stream = try driver.open()
        stream.act { state in
            state.outgoing = [1]
            state.hasEnded = true
        }
        #expect(try driver.next().data == [1])
        let end = try driver.next()
        #expect((end.operation, end.flags) == (TestPacket.shutdown, 2))
        try driver.send(TestPacket(TestPacket.transfer, data: [2, 3]))
        try driver.board.wait("the bytes", until: { stream.incoming == [2, 3] })
        // The guest's end comes after the bytes that the program has not taken.
        stream.state.update { $0.appetite = 0 }
        try driver.send(TestPacket(TestPacket.transfer, data: [4]))
        try driver.send(TestPacket(TestPacket.shutdown, flags: 3))
        driver.settle()
        #expect(!driver.hasNext)
        #expect(!stream.isClosed)
        stream.act { $0.appetite = 1 }
        #expect(try driver.next().operation == TestPacket.reset)
        #expect(stream.state.withLock { $0.isClosed && $0.incoming == [2, 3, 4] })
    }

    @Test func aProgramThatIsGoneEndsBothDirections() throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        let stream = try driver.open()
        stream.act { state in
            state.hasEnded = true
            state.isHungUp = true
        }
        let end = try driver.next()
        #expect((end.operation, end.flags) == (TestPacket.shutdown, 3))
        // What the guest sends before it knows is dropped, and its reset is the end.
        try driver.send(TestPacket(TestPacket.transfer, data: [1]))
        try driver.send(TestPacket(TestPacket.reset))
        try driver.send(TestPacket(TestPacket.transfer, data: [1]))
        #expect(try driver.next().operation == TestPacket.reset)
        // One that only reads no more.
        let deaf = try driver.open(from: 1001)
        deaf.state.update { $0.isBroken = true }
        try driver.send(TestPacket(TestPacket.transfer, from: 1001, data: [1]))
        let news = try driver.next()
        #expect((news.operation, news.flags) == (TestPacket.shutdown, 1))
        deaf.act { $0.outgoing = [5] }
        #expect(try driver.next().data == [5])
    }

    // MARK: Lifecycle

    @Test func aRestoredGuestIsToldThatItsConnectionsAreGone() throws {
        let driver = try SocketDriver()
        let stream = try driver.open()
        driver.board.pause()
        _ = try driver.board.transport.save()
        driver.board.resume()
        // The saved machine itself goes on.
        stream.act { $0.outgoing = [1] }
        #expect(try driver.next().data == [1])
        driver.board.pause()
        let record = try driver.board.transport.save()
        try driver.board.transport.restore(record)
        #expect(stream.isClosed)
        driver.board.resume()
        #expect(try driver.next().operation == TestPacket.reset)
        // A new connection has the old one's ports, and lives.
        let other = try driver.open()
        other.act { $0.outgoing = [2] }
        #expect(try driver.next().data == [2])
        driver.stop()
        #expect(throws: SavedStateError.self) {
            try SocketDevice(guestCID: 3, backend: TestSockets()).restore(SavedRecord(kind: "x", version: 1))
        }
    }

    @Test func aStateOfTheFirstVersionDoesNotKnowTheConnectionsAndTheGuestEndsAllOfThem() throws {
        let driver = try SocketDriver()
        driver.board.pause()
        let saved = try driver.board.transport.save()
        var old = SavedRecord(kind: saved.kind, version: saved.version)
        for (name, value) in saved.fields {
            old.set(name, name == "device" ? .record(SavedRecord(kind: "virtio-socket", version: 1)) : value)
        }
        try driver.board.transport.restore(old)
        driver.board.resume()
        #expect(try driver.waitForEvent() == 0)
        driver.stop()
    }

    @Test func aResetEndsConnectionsButNotRequestsThatTheGuestHasNotSeen() throws {
        let driver = try SocketDriver(buffers: 1)
        let stream = try driver.open()
        let early = try SocketDriver(buffers: 0, bringsUp: false)
        let waiting = early.sockets.want(port: 5)
        early.settle()
        driver.board.status = 0
        try driver.board.wait("the end", until: { stream.isClosed })
        early.board.status = 0
        early.settle()
        #expect(!waiting.isClosed)
        early.stop()
        #expect(waiting.isClosed)
        driver.stop()
    }
}
