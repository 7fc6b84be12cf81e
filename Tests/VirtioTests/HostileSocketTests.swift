import HostSystem
import Testing
import VirtioDevices

/// A driver of sockets that breaks the rules of its packets.
@Suite struct HostileSocketTests {
    @Test func aPacketWithoutAConnectionIsAnsweredByAReset() throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        for operation in [0, 2, 4, 5, 6, 7, 8, 0xFFFF] as [UInt16] {
            try driver.send(TestPacket(operation, port: 80, data: [1, 2]))
            let answer = try driver.next()
            #expect((answer.operation, answer.type, answer.length) == (TestPacket.reset, 1, 0))
            #expect((answer.sourcePort, answer.destinationPort) == (80, 1000))
        }
        // Other types are unknown, and the answer has their type.
        var packet = TestPacket(TestPacket.request)
        packet.type = 2
        try driver.send(packet)
        #expect(try driver.next().type == 2)
        #expect(driver.sockets.streams.isEmpty)
    }

    @Test func resetsAndForeignPacketsAreNotAnswered() throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        try driver.send(TestPacket(TestPacket.reset))
        for (source, destination) in [(4, 2), (3, 3), (0, 2), (3, UInt64.max), (3 << 32 | 3, 2), (2, 3)]
            as [(UInt64, UInt64)]
        {
            var packet = TestPacket(TestPacket.request)
            (packet.source, packet.destination) = (source, destination)
            try driver.send(packet)
        }
        // A header that is cut off.
        try driver.post(Array(TestPacket(TestPacket.request).bytes.prefix(43)), cut: 20)
        try driver.post([], cut: 0)
        try driver.board.wait("the packets", until: { driver.takenCount == 9 })
        driver.settle()
        #expect(!driver.hasNext)
        #expect(driver.sockets.streams.isEmpty)
        #expect(!driver.board.needsReset)
    }

    @Test(arguments: [UInt32.max, 4, 1 << 31, 131_073]) func aLengthThatTheDataDoNotHaveEndsTheConnection(
        _ length: UInt32
    ) throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        let stream = try driver.open()
        var packet = TestPacket(TestPacket.transfer, data: [1, 2, 3])
        packet.length = length
        try driver.send(packet)
        #expect(try driver.next().operation == TestPacket.reset)
        #expect(stream.state.withLock { $0.isClosed && $0.incoming.isEmpty })
        #expect(!driver.board.needsReset)
    }

    @Test func whatFollowsTheDataIsIgnored() throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        let stream = try driver.open()
        var packet = TestPacket(TestPacket.transfer, data: [1, 2, 3])
        packet.length = 2
        try driver.send(packet)
        try driver.send(TestPacket(TestPacket.transfer, data: []))
        #expect(stream.incoming == [1, 2])
    }

    @Test func unknownOperationsAndSecondRequestsEndTheConnection() throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        for operation in [0, 1, 2, 8, 0xFFFF] as [UInt16] {
            let stream = try driver.open()
            try driver.send(TestPacket(operation))
            #expect(try driver.next().operation == TestPacket.reset)
            #expect(stream.isClosed)
        }
        // Data after the end of its direction.
        let stream = try driver.open()
        try driver.send(TestPacket(TestPacket.shutdown, flags: 2))
        try driver.send(TestPacket(TestPacket.transfer, data: [1]))
        #expect(try driver.next().operation == TestPacket.reset)
        #expect(stream.incoming == [])
    }

    @Test func aDriverThatTakesNoAnswersIsHeldUp() throws {
        let driver = try SocketDriver(buffers: 0)
        defer { driver.stop() }
        let count: UInt16 = 264
        var posted: UInt16 = 0
        // 256 answers wait; then the device takes no more packets.
        while posted < 256 {
            try driver.post(TestPacket(TestPacket.transfer, from: UInt32(posted)).bytes)
            posted += 1
            try driver.board.wait("the packet", until: { driver.takenCount == posted })
        }
        while posted < count {
            try driver.post(TestPacket(TestPacket.transfer, from: UInt32(posted)).bytes)
            posted += 1
        }
        driver.settle()
        #expect(driver.takenCount == 256)
        driver.offerAll()
        for index in 0..<count {
            let packet = try driver.next()
            #expect((packet.operation, packet.destinationPort) == (TestPacket.reset, UInt32(index)))
        }
        try driver.board.wait("all packets", until: { driver.takenCount == count })
    }

    @Test func buffersThatAreTooSmallAreGivenBack() throws {
        let driver = try SocketDriver(buffers: 0)
        defer { driver.stop() }
        let queue = GuestQueue(memory: driver.board.memory, base: TestBoard.base, size: SocketDriver.queueSize)
        for (head, length) in [(0, 10), (1, 44)] as [(UInt16, Int)] {
            queue.setChain([.in(TestBoard.base + 0x10_0000, length)], head: head)
            queue.publish(head)
        }
        driver.board.notify(0)
        #expect(try driver.board.waitUsed(queue) == (0, 0))
        #expect(try driver.board.waitUsed(queue) == (1, 0))
    }

    @Test func connectionsAreBounded() throws {
        let driver = try SocketDriver()
        defer { driver.stop() }
        let most: UInt32 = 512
        for port in 0..<most { _ = try driver.open(from: port) }
        try driver.send(TestPacket(TestPacket.request, from: most))
        #expect(try driver.next().operation == TestPacket.reset)
        let refused = driver.sockets.want(port: 1)
        try driver.board.wait("the end", until: { refused.isClosed })
        // One that waits for its last word only makes room.
        driver.sockets.streams[5].act { state in
            state.hasEnded = true
            state.isHungUp = true
        }
        #expect(try driver.next().operation == TestPacket.shutdown)
        _ = try driver.open(from: most)
        #expect(driver.sockets.streams.count == Int(most) + 1)
    }

    @Test func openingAndResettingAgainAndAgainKeepsNothing() throws {
        let driver = try SocketDriver(buffers: 0)
        defer { driver.stop() }
        for _ in 0..<2000 {
            try driver.send(TestPacket(TestPacket.request))
            try driver.send(TestPacket(TestPacket.reset))
        }
        #expect(driver.sockets.streams.allSatisfy { $0.isClosed })
        driver.offerAll()
        driver.settle()
        #expect(!driver.hasNext)
    }
}
