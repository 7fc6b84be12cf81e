import GuestMemory
import HostSystem
import Machine
import SavedState
import Testing
import Virtio
import VirtioDevices

@Suite struct ConsoleDeviceTests {
    private static let data = TestBoard.base + 0x10_0000

    private struct Console {
        let channel: TestChannel
        let device: ConsoleDevice
        let board: TestBoard
        let receive: GuestQueue
        let transmit: GuestQueue

        init(channel: TestChannel = TestChannel()) throws {
            self.channel = channel
            device = ConsoleDevice(channel: channel)
            board = try TestBoard(device)
            try board.transport.start()
            receive = GuestQueue(memory: board.memory, base: TestBoard.base, size: 8)
            transmit = GuestQueue(memory: board.memory, base: TestBoard.base + 0x8000, size: 8)
            board.negotiate()
            board.setUp(0, receive.layout())
            board.setUp(1, transmit.layout())
            board.status = 0x0F
        }

        func stop() {
            board.transport.pause()
            board.transport.stop()
        }

        func offerBuffer(_ head: UInt16, _ length: Int) {
            receive.setChain([.in(ConsoleDeviceTests.data + 0x1000 * UInt64(head), length)], head: head)
            receive.publish(head)
            board.notify(0)
        }

        func buffer(_ head: UInt32, _ count: UInt32) throws -> [UInt8] {
            try board.memory.bytes(at: ConsoleDeviceTests.data + 0x1000 * UInt64(head), count: Int(count))
        }
    }

    @Test func outputGoesToTheChannelInOrder() throws {
        let console = try Console()
        defer { console.stop() }
        let text = Array("hello, world\n".utf8)
        try console.board.memory.write(text, at: Self.data)
        console.transmit.setChain([.out(Self.data, 5), .out(Self.data + 5, text.count - 5)])
        console.transmit.publish(0)
        console.board.notify(1)
        #expect(try console.board.waitUsed(console.transmit) == (0, 0))
        #expect(console.channel.output == text)
    }

    @Test func longOutputArrivesWhole() throws {
        let console = try Console()
        defer { console.stop() }
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try console.board.memory.write(bytes, at: Self.data)
        console.transmit.setChain([.out(Self.data, bytes.count)])
        console.transmit.publish(0)
        console.board.notify(1)
        _ = try console.board.waitUsed(console.transmit)
        #expect(console.channel.output == bytes)
    }

    @Test func inputIsTakenOnlyAsFarAsThereAreBuffers() throws {
        let console = try Console()
        defer { console.stop() }
        console.channel.type(Array("abcdefghij".utf8))
        console.offerBuffer(0, 4)
        #expect(try console.board.waitUsed(console.receive) == (0, 4))
        #expect(try console.buffer(0, 4) == Array("abcd".utf8))
        console.board.transport.pause()
        #expect(console.channel.waiting == 6)
        #expect(console.channel.state.withLock { $0.largestRead } == 4)
        console.board.transport.resume()
        console.offerBuffer(1, 2)
        console.offerBuffer(2, 100)
        #expect(try console.board.waitUsed(console.receive) == (1, 2))
        #expect(try console.board.waitUsed(console.receive) == (2, 4))
        #expect(try console.buffer(2, 4) == Array("ghij".utf8))
    }

    @Test func buffersWaitForInput() throws {
        let console = try Console()
        defer { console.stop() }
        console.offerBuffer(3, 16)
        console.board.transport.pause()
        #expect(console.receive.deviceUsedIndex == 0)
        console.board.transport.resume()
        console.channel.type([42])
        #expect(try console.board.waitUsed(console.receive) == (3, 1))
        #expect(try console.buffer(3, 1) == [42])
    }

    @Test func aBufferWithoutRoomComesBackEmpty() throws {
        let console = try Console()
        defer { console.stop() }
        console.receive.setChain([.out(Self.data, 8)])
        console.receive.publish(0)
        console.channel.type([1])
        console.board.notify(0)
        #expect(try console.board.waitUsed(console.receive) == (0, 0))
        #expect(console.channel.waiting == 1)
    }

    @Test func aNewWindowSizeIsAConfigurationChange() throws {
        let channel = TestChannel()
        channel.state.update { $0.window = (80, 24) }
        let console = try Console(channel: channel)
        defer { console.stop() }
        #expect(console.board.read(0x100) == 24 << 16 | 80)
        let generation = console.board.read(0x0FC)
        channel.state.update { $0.window = (132, 50) }
        channel.changed()
        try console.board.wait("the interrupt", until: { console.board.read(0x060) == 2 })
        #expect(console.board.read(0x100) == 50 << 16 | 132)
        #expect(console.board.read(0x0FC) == generation + 1)
    }

    @Test func outputThatFindsNoRoomWaitsInItsBufferAndIsNeitherLostNorDoubled() throws {
        let channel = TestChannel()
        channel.state.update { $0.room = 4 }
        let console = try Console(channel: channel)
        defer { console.stop() }
        try console.board.memory.write(Array("0123456789abcdef".utf8), at: Self.data)
        console.transmit.setChain([.out(Self.data, 3), .out(Self.data + 3, 7)])
        console.transmit.publish(0)
        console.transmit.setChain([.out(Self.data + 10, 6)], head: 2)
        console.transmit.publish(2)
        console.board.notify(1)
        try console.board.wait("the first bytes", until: { channel.output.count == 4 })
        // A pause waits for no reader, and everything else of the device goes on.
        console.board.transport.pause()
        #expect(console.transmit.deviceUsedIndex == 0)
        console.board.transport.resume()
        channel.type([42])
        console.offerBuffer(3, 16)
        #expect(try console.board.waitUsed(console.receive) == (3, 1))
        for (room, total, used) in [(1, 5, 0), (6, 11, 1), (0, 11, 1), (100, 16, 2)] as [(Int, Int, UInt16)] {
            channel.makeRoom(room)
            try console.board.wait("more output", until: { channel.output.count == total })
            try console.board.wait("the buffers", until: { console.transmit.deviceUsedIndex == used })
        }
        #expect(channel.output == Array("0123456789abcdef".utf8))
    }

    @Test func aSavedConsoleGoesOnWithTheByteAtWhichItsOutputStopped() throws {
        let channel = TestChannel()
        channel.state.update { $0.room = 4 }
        let console = try Console(channel: channel)
        try console.board.memory.write(Array("0123456789".utf8), at: Self.data)
        console.transmit.setChain([.out(Self.data, 10)])
        console.transmit.publish(0)
        console.board.notify(1)
        try console.board.wait("the first bytes", until: { channel.output.count == 4 })
        console.board.transport.pause()
        let state = try console.board.transport.save()
        console.board.transport.stop()

        let other = TestChannel()
        let board = try TestBoard(ConsoleDevice(channel: other), memory: console.board.memory)
        try board.transport.restore(SavedRecord(encoded: state.encoded(), limit: 1 << 16))
        #expect(try board.transport.save() == state)
        try board.transport.start()
        defer { board.stop() }
        #expect(try board.waitUsed(console.transmit) == (0, 0))
        #expect(channel.output + other.output == Array("0123456789".utf8))
        #expect(other.output.count == 6)
    }

    @Test func aResetForgetsHowMuchOfABufferIsOut() throws {
        let channel = TestChannel()
        channel.state.update { $0.room = 4 }
        let console = try Console(channel: channel)
        defer { console.stop() }
        try console.board.memory.write(Array("0123456789".utf8), at: Self.data)
        console.transmit.setChain([.out(Self.data, 10)])
        console.transmit.publish(0)
        console.board.notify(1)
        try console.board.wait("the first bytes", until: { channel.output.count == 4 })
        console.board.status = 0
        #expect(console.board.status == 0)
        channel.makeRoom(100)
        let transmit = try console.board.bringUp(queue: 1, size: 8)
        transmit.setChain([.out(Self.data, 3)])
        transmit.publish(0)
        console.board.notify(1)
        #expect(try console.board.waitUsed(transmit) == (0, 0))
        #expect(channel.output == Array("0123012".utf8))
    }

    @Test func anEmergencyWriteThatFindsNoRoomIsDropped() throws {
        let channel = TestChannel()
        channel.state.update { $0.room = 1 }
        let board = try TestBoard(ConsoleDevice(channel: channel))
        board.transport.write(offset: 0x108, size: 4, value: 0x41)
        board.transport.write(offset: 0x108, size: 4, value: 0x42)
        channel.makeRoom(1)
        board.transport.write(offset: 0x108, size: 4, value: 0x43)
        #expect(channel.output == [0x41, 0x43])
    }

    @Test func anEmergencyWriteNeedsNoQueues() throws {
        let channel = TestChannel()
        let board = try TestBoard(ConsoleDevice(channel: channel))
        board.transport.write(offset: 0x108, size: 4, value: 0x41)
        board.transport.write(offset: 0x10C, size: 4, value: 0x42)
        #expect(channel.output == [0x41])
    }

    @Test func aRestoredConsoleGoesOnAndTellsOfTheNewTerminal() throws {
        let channel = TestChannel()
        channel.state.update { $0.window = (80, 24) }
        let console = try Console(channel: channel)
        console.offerBuffer(2, 16)
        console.board.transport.pause()
        let state = try console.board.transport.save()
        console.board.transport.stop()

        let other = TestChannel()
        other.state.update { $0.window = (100, 40) }
        let board = try TestBoard(ConsoleDevice(channel: other), memory: console.board.memory)
        try board.transport.restore(SavedRecord(encoded: state.encoded(), limit: 1 << 16))
        try board.transport.start()
        defer {
            board.transport.pause()
            board.transport.stop()
        }
        other.type([7, 8])
        #expect(try board.waitUsed(console.receive) == (2, 2))
        #expect(board.read(0x060) & 2 == 2)
        #expect(board.read(0x100) == 40 << 16 | 100)
    }
}
