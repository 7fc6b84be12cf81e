internal import HostSockets

/// One connection between a guest's port and a program of the host.
package final class SocketConnection {
    package struct Key: Hashable, Sendable {
        package let hostPort: UInt32
        package let guestPort: UInt32
    }

    enum Phase {
        /// A program of the host wants it, and the guest has not answered yet.
        case requested
        case established
        /// Both sides were told that it ended; the guest's reset is awaited.
        case closing
    }

    /// The bytes of the guest that may wait for the program, at most: what the guest is told of as room.
    package static let room = 256 << 10

    let key: Key
    let stream: any HostStream
    var phase: Phase

    // Packets that the guest has to get.
    var needsRequest = false
    var needsResponse = false
    var needsReset = false
    var needsCreditUpdate = false
    /// Flags of the next shutdown.
    var shutdownFlags: UInt32 = 0
    /// Flags that the guest was told.
    private(set) var toldFlags: UInt32 = 0
    /// The stream may have something to receive.
    var isReadable = true
    /// The connection waits in `SocketConnections.ready`.
    var isQueued = false

    private(set) var guestEndedSending = false
    private(set) var guestEndedReceiving = false
    private(set) var hostEndedSending = false

    // The guest's credit (section 5.10.6.3): all counters modulo 2^32.
    private var guestRoom: UInt32 = 0
    private var guestForwarded: UInt32 = 0
    private var sent: UInt32 = 0
    private var received: UInt32 = 0
    private var toldForwarded: UInt32 = 0
    private var hasAskedForCredit = false

    init(_ key: Key, _ stream: any HostStream, _ phase: Phase) {
        self.key = key
        self.stream = stream
        self.phase = phase
    }

    private var forwarded: UInt32 { received &- UInt32(stream.waitingCount) }

    /// How many bytes the guest has room for.
    private var credit: Int {
        let outstanding = sent &- guestForwarded
        return outstanding < guestRoom ? Int(guestRoom - outstanding) : 0
    }

    /// The guest has ended the connection, and the program has got everything.
    var isOver: Bool { guestEndedSending && guestEndedReceiving && stream.waitingCount == 0 }

    // MARK: From the guest

    func takeCredit(of packet: SocketPacket) {
        guestRoom = packet.room
        guestForwarded = packet.forwarded
        hasAskedForCredit = false
    }

    /// - Returns: false when the guest may not send this: it ended its direction, or it has no room for so much.
    func takeData(_ pieces: [UnsafeRawBufferPointer]) -> Bool {
        let count = pieces.reduce(0) { $0 + $1.count }
        guard phase != .requested, !guestEndedSending, count <= Self.room - stream.waitingCount else { return false }
        received &+= UInt32(count)
        if phase == .established {
            stream.send(pieces)
            noticeProgress()
        }
        return true
    }

    func takeShutdown(_ flags: UInt32) {
        if flags & SocketPacket.Shutdown.receiving != 0, !guestEndedReceiving {
            guestEndedReceiving = true
            stream.endReceiving()
        }
        if flags & SocketPacket.Shutdown.sending != 0, !guestEndedSending {
            guestEndedSending = true
            stream.endSending()
        }
    }

    // MARK: From the host

    /// The stream took bytes, or ended.
    func noticeProgress() {
        if stream.isBroken || hostEndedSending && stream.isHungUp, toldFlags & SocketPacket.Shutdown.receiving == 0 {
            shutdownFlags |= SocketPacket.Shutdown.receiving
        }
        // A guest that cannot send waits for news; a quarter of the room keeps the packets few.
        if forwarded &- toldForwarded >= UInt32(Self.room / 4) { needsCreditUpdate = true }
    }

    /// The next packet for the guest, whose data are in `pieces`; nil when there is none.
    func nextPacket(into pieces: [UnsafeMutableRawBufferPointer]) -> (operation: UInt16, length: Int, flags: UInt32)? {
        if needsReset { return (SocketPacket.Operation.reset, 0, 0) }
        if needsRequest {
            needsRequest = false
            return (SocketPacket.Operation.request, 0, 0)
        }
        if needsResponse {
            needsResponse = false
            return (SocketPacket.Operation.response, 0, 0)
        }
        guard phase == .established else { return nil }
        if let data = nextData(into: pieces) { return data }
        let news = shutdownFlags & ~toldFlags
        if news != 0 {
            toldFlags |= news
            shutdownFlags = 0
            if toldFlags == SocketPacket.Shutdown.both {
                phase = .closing
                stream.close()
            }
            return (SocketPacket.Operation.shutdown, 0, toldFlags)
        }
        guard needsCreditUpdate else { return nil }
        return (SocketPacket.Operation.creditUpdate, 0, 0)
    }

    private func nextData(
        into pieces: [UnsafeMutableRawBufferPointer]
    ) -> (operation: UInt16, length: Int, flags: UInt32)? {
        guard isReadable, !hostEndedSending, !guestEndedReceiving else { return nil }
        guard credit > 0 else {
            guard !hasAskedForCredit else { return nil }
            hasAskedForCredit = true
            return (SocketPacket.Operation.creditRequest, 0, 0)
        }
        switch stream.receive(into: pieces.prefix(bytes: credit)) {
        case .bytes(let count):
            sent &+= UInt32(count)
            return (SocketPacket.Operation.data, count, 0)
        case .none:
            isReadable = false
        case .end:
            hostEndedSending = true
            shutdownFlags |= stream.isHungUp ? SocketPacket.Shutdown.both : SocketPacket.Shutdown.sending
        case .failed:
            needsReset = true
            return (SocketPacket.Operation.reset, 0, 0)
        }
        return nil
    }

    /// Adds the connection's credit to a packet.
    func stamp(_ packet: inout SocketPacket) {
        packet.room = UInt32(Self.room)
        packet.forwarded = forwarded
        toldForwarded = forwarded
        needsCreditUpdate = false
    }
}

extension [UnsafeMutableRawBufferPointer] {
    /// The first `count` bytes.
    func prefix(bytes count: Int) -> Self {
        var rest = count
        var result: Self = []
        for piece in self where rest > 0 {
            result.append(UnsafeMutableRawBufferPointer(rebasing: piece.prefix(rest)))
            rest -= Swift.min(rest, piece.count)
        }
        return result
    }
}
