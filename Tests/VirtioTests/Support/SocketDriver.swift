import GuestMemory
import HostSystem
import Testing
import Virtio
import VirtioDevices

/// A packet as a driver writes and reads it.
struct TestPacket: Equatable {
    var source: UInt64 = 3
    var destination: UInt64 = 2
    var sourcePort: UInt32 = 1000
    var destinationPort: UInt32 = 80
    /// Nil is that of the data.
    var length: UInt32?
    var type: UInt16 = 1
    var operation: UInt16
    var flags: UInt32 = 0
    var room: UInt32 = 1 << 18
    var forwarded: UInt32 = 0
    var data: [UInt8] = []

    static let (request, response, reset, shutdown, transfer, update, creditRequest):
        (
            UInt16, UInt16, UInt16, UInt16, UInt16, UInt16, UInt16
        ) = (1, 2, 3, 4, 5, 6, 7)

    init(_ operation: UInt16, port: UInt32 = 80, from: UInt32 = 1000, data: [UInt8] = [], flags: UInt32 = 0) {
        self.operation = operation
        destinationPort = port
        sourcePort = from
        self.data = data
        self.flags = flags
    }

    var bytes: [UInt8] {
        func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        return bytes(source) + bytes(destination) + bytes(sourcePort) + bytes(destinationPort)
            + bytes(length ?? UInt32(data.count)) + bytes(type) + bytes(operation) + bytes(flags) + bytes(room)
            + bytes(forwarded) + data
    }

    init(bytes: [UInt8]) {
        func integer<Integer: FixedWidthInteger>(_ offset: Int) -> Integer {
            (0..<MemoryLayout<Integer>.size).reduce(0) { $0 | Integer(bytes[offset + $1]) << Integer(8 * $1) }
        }
        source = integer(0)
        destination = integer(8)
        sourcePort = integer(16)
        destinationPort = integer(20)
        length = integer(24)
        type = integer(28)
        operation = integer(30)
        flags = integer(32)
        room = integer(36)
        forwarded = integer(40)
        data = Array(bytes[44...])
    }
}

/// The guest's driver of a device for sockets: a page for each buffer.
final class SocketDriver {
    private static let received = TestBoard.base + 0x10_0000
    private static let sent = TestBoard.base + 0x20_0000
    static let queueSize: UInt16 = 64

    let sockets: TestSockets
    let device: SocketDevice
    let board: TestBoard
    private let queues: [GuestQueue]
    private var nextHead: UInt16 = 0

    init(serving ports: Set<UInt32> = [80], buffers: UInt16 = SocketDriver.queueSize, bringsUp: Bool = true) throws {
        sockets = TestSockets(serving: ports)
        device = SocketDevice(guestCID: 3, backend: sockets)
        board = try TestBoard(device)
        try board.start()
        queues = try bringsUp ? board.bringUp(queues: [0, 1, 2], size: Self.queueSize) : []
        for head in 0..<buffers { offer(head) }
        if buffers > 0 { board.notify(0) }
    }

    func stop() { board.stop() }

    /// Gives the device a buffer of a page.
    func offer(_ head: UInt16) {
        queues[0].setChain([.in(Self.received + 0x1000 * UInt64(head), 0x1000)], head: head)
        queues[0].publish(head)
    }

    func offerAll() {
        for head in 0..<Self.queueSize { offer(head) }
        board.notify(0)
    }

    /// Makes a packet available, cut into two buffers, without waiting for the device.
    func post(_ bytes: [UInt8], cut: Int = 44) throws {
        let head = nextHead
        nextHead = (nextHead + 2) % Self.queueSize
        let place = Self.sent + 0x4000 * UInt64(head / 2)
        try board.memory.write(bytes, at: place)
        let cut = min(cut, bytes.count)
        queues[1].setChain([.out(place, cut), .out(place + UInt64(cut), bytes.count - cut)], head: head)
        queues[1].publish(head)
        board.notify(1)
    }

    /// Sends a packet, and waits until the device has taken it.
    func send(_ packet: TestPacket, at location: SourceLocation = #_sourceLocation) throws {
        try post(packet.bytes)
        _ = try board.waitUsed(queues[1], at: location)
    }

    /// The number of packets that the device has taken, at any time.
    var takenCount: UInt16 { queues[1].deviceUsedIndex }

    /// The next packet from the device, whose buffer the device gets again.
    func next(_ offersAgain: Bool = true, at location: SourceLocation = #_sourceLocation) throws -> TestPacket {
        let (head, length) = try board.waitUsed(queues[0], at: location)
        let bytes = try board.memory.bytes(at: Self.received + 0x1000 * UInt64(head), count: Int(length))
        try #require(bytes.count >= 44, sourceLocation: location)
        if offersAgain {
            offer(UInt16(head))
            board.notify(0)
        }
        return TestPacket(bytes: bytes)
    }

    /// Whether the device has a packet that was not read yet.
    var hasNext: Bool { queues[0].deviceUsedIndex != queues[0].usedIndex }

    /// Waits until everything that was begun on the loop is done.
    func settle() { for _ in 0..<3 { TestLoop.shared.sync {} } }

    /// Opens a connection to a served port.
    func open(_ port: UInt32 = 80, from: UInt32 = 1000, room: UInt32 = 1 << 18) throws -> TestStream {
        var packet = TestPacket(TestPacket.request, port: port, from: from)
        packet.room = room
        try send(packet)
        let answer = try next()
        #expect(answer.operation == TestPacket.response)
        return try #require(sockets.streams.last)
    }

    /// Waits for the transport reset event.
    func waitForEvent() throws -> UInt32 {
        let place = Self.received + 0x8_0000
        try board.memory.store(UInt32(9), at: place)
        queues[2].setChain([.in(place, 4)])
        queues[2].publish(0)
        board.notify(2)
        #expect(try board.waitUsed(queues[2]) == (0, 4))
        return try board.memory.load(at: place)
    }
}
