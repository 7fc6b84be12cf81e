package import HostSockets

/// All connections of a guest, and the packets that it gets. It knows no queues: a packet from the guest is a header with pieces of memory.
///
/// Everything that a guest can make it keep is bounded: connections, bytes that wait for a program, and resets that wait for the guest.
package final class SocketConnections {
    /// The most connections: each has a descriptor of the host.
    package static let most = 512
    /// The most resets of packets without a connection that wait for the guest.
    static let mostResets = 256
    /// Ports of the host's side of connections that the host began; all above those that programs choose.
    private static let firstPort: UInt32 = 1 << 30

    let guestCID: UInt64
    private let connect: (UInt32) -> (any HostStream)?
    private let changed: @Sendable () -> Void
    private let served: @Sendable (SocketConnection.Key) -> Void
    private var connections: [SocketConnection.Key: SocketConnection] = [:]
    /// Connections with packets for the guest, the first to be served at the front.
    private var ready: [SocketConnection.Key] = []
    private var resets: [SocketPacket] = []
    private var lastPort = firstPort

    /// - Parameters:
    ///   - connect: connects to the program that serves a port of the host.
    ///   - changed: called when there may be packets for the guest.
    ///   - served: called when a connection's stream has news; it leads to `notice`.
    package init(
        guestCID: UInt64, connect: @escaping (UInt32) -> (any HostStream)?, changed: @escaping @Sendable () -> Void,
        served: @escaping @Sendable (SocketConnection.Key) -> Void
    ) {
        self.guestCID = guestCID
        self.connect = connect
        self.changed = changed
        self.served = served
    }

    package var count: Int { connections.count }

    /// The connections that the guest may know of, for a machine that is saved.
    var keys: [SocketConnection.Key] {
        connections.keys + resets.map { SocketConnection.Key(hostPort: $0.sourcePort, guestPort: $0.destinationPort) }
    }

    /// Ends connections of the machine that was saved: the guest gets a reset for each, before anything of a new connection.
    func reset(_ keys: some Sequence<SocketConnection.Key>) {
        for key in keys.prefix(Self.most + Self.mostResets) {
            resets.append(
                SocketPacket(
                    to: guestCID, hostPort: key.hostPort, guestPort: key.guestPort, SocketPacket.Operation.reset))
        }
        changed()
    }

    // MARK: From the guest

    /// Takes a packet of the guest.
    ///
    /// - Parameter pieces: the packet's data, which are fewer than its length where the guest left some out.
    /// - Returns: false when the guest has to take resets first; the packet then comes again.
    package func take(_ packet: SocketPacket, _ pieces: [UnsafeRawBufferPointer]) -> Bool {
        // Packets of others, and for others, go nowhere.
        guard packet.sourceCID == guestCID, packet.destinationCID == SocketPacket.hostCID else { return true }
        guard resets.count < Self.mostResets else { return false }
        let key = SocketConnection.Key(hostPort: packet.destinationPort, guestPort: packet.sourcePort)
        guard packet.type == SocketPacket.streamType else {
            refuse(packet, key)
            return true
        }
        let isRequest = packet.operation == SocketPacket.Operation.request
        if let connection = connections[key], !(isRequest && connection.phase == .closing) {
            take(packet, pieces, connection)
        } else if isRequest {
            // The guest uses the port of an ended connection again.
            if let old = connections[key] { remove(old) }
            open(packet, key)
        } else {
            refuse(packet, key)
        }
        return true
    }

    /// Answers a packet that belongs to no connection; a reset is not answered.
    private func refuse(_ packet: SocketPacket, _ key: SocketConnection.Key) {
        guard packet.operation != SocketPacket.Operation.reset else { return }
        var reset = SocketPacket(
            to: guestCID, hostPort: key.hostPort, guestPort: key.guestPort, SocketPacket.Operation.reset)
        reset.type = packet.type
        resets.append(reset)
        changed()
    }

    private func open(_ packet: SocketPacket, _ key: SocketConnection.Key) {
        guard makeRoom(), let stream = connect(key.hostPort) else { return refuse(packet, key) }
        let connection = SocketConnection(key, stream, .established)
        connection.needsResponse = true
        connection.takeCredit(of: packet)
        add(connection)
    }

    private func take(_ packet: SocketPacket, _ pieces: [UnsafeRawBufferPointer], _ connection: SocketConnection) {
        connection.takeCredit(of: packet)
        switch packet.operation {
        case SocketPacket.Operation.response where connection.phase == .requested && !connection.needsRequest:
            connection.phase = .established
            let line = Array("OK \(connection.key.hostPort)\n".utf8)
            line.withUnsafeBytes { connection.stream.send([$0]) }
        case SocketPacket.Operation.reset: return remove(connection)
        case SocketPacket.Operation.shutdown: connection.takeShutdown(packet.flags)
        case SocketPacket.Operation.data:
            let isWhole = pieces.reduce(0) { $0 + $1.count } == Int(packet.length)
            if !isWhole || !connection.takeData(pieces) { connection.needsReset = true }
        case SocketPacket.Operation.creditUpdate: break
        case SocketPacket.Operation.creditRequest: connection.needsCreditUpdate = true
        default: connection.needsReset = true
        }
        if connection.isOver { connection.needsReset = true }
        enqueue(connection)
    }

    // MARK: From the host

    /// A program of the host wants a connection to a port of the guest.
    package func connect(_ stream: any HostStream, toGuestPort port: UInt32) {
        guard makeRoom() else { return stream.close() }
        var key: SocketConnection.Key
        repeat {
            lastPort = lastPort &+ 1 < Self.firstPort << 1 ? lastPort &+ 1 : Self.firstPort
            key = SocketConnection.Key(hostPort: lastPort, guestPort: port)
        } while connections[key] != nil
        let connection = SocketConnection(key, stream, .requested)
        connection.needsRequest = true
        add(connection)
    }

    /// A connection's stream has bytes, took bytes, or ended.
    package func notice(_ key: SocketConnection.Key) {
        guard let connection = connections[key] else { return }
        connection.isReadable = true
        connection.noticeProgress()
        if connection.phase == .requested, connection.stream.isHungUp {
            // The guest need not hear of a request that it was not told of.
            if connection.needsRequest { return remove(connection) }
            connection.needsReset = true
        }
        if connection.isOver { connection.needsReset = true }
        enqueue(connection)
    }

    // MARK: To the guest

    /// The next packet for the guest, with its data at the start of `pieces`; nil when there is none.
    package func next(into pieces: [UnsafeMutableRawBufferPointer]) -> SocketPacket? {
        if !resets.isEmpty { return resets.removeFirst() }
        while !ready.isEmpty {
            let key = ready.removeFirst()
            guard let connection = connections[key] else { continue }
            connection.isQueued = false
            guard let next = connection.nextPacket(into: pieces) else { continue }
            var packet = SocketPacket(
                to: guestCID, hostPort: key.hostPort, guestPort: key.guestPort, next.operation)
            packet.length = UInt32(next.length)
            packet.flags = next.flags
            connection.stamp(&packet)
            if next.operation == SocketPacket.Operation.reset {
                remove(connection)
            } else {
                // Behind the others: none waits for a connection that has much to say.
                enqueue(connection, isNews: false)
            }
            return packet
        }
        return nil
    }

    // MARK: The table

    /// Ends all connections that the guest knows of, without telling it. Programs whose requests the guest has not seen go on waiting.
    func forgetAll() {
        resets = []
        for connection in connections.values where !connection.needsRequest { remove(connection) }
    }

    /// Ends everything.
    package func closeAll() {
        resets = []
        for connection in connections.values { remove(connection) }
        ready = []
    }

    /// A full table loses the connections that wait only for the guest's last word.
    private func makeRoom() -> Bool {
        if connections.count < Self.most { return true }
        guard let old = connections.values.first(where: { $0.phase == .closing }) else { return false }
        remove(old)
        return true
    }

    private func add(_ connection: SocketConnection) {
        let key = connection.key
        connections[key] = connection
        connection.stream.handler = { [served] in served(key) }
        enqueue(connection)
    }

    private func remove(_ connection: SocketConnection) {
        connections[connection.key] = nil
        if connection.isQueued { ready.removeAll { $0 == connection.key } }
        connection.stream.close()
    }

    private func enqueue(_ connection: SocketConnection, isNews: Bool = true) {
        guard !connection.isQueued else { return }
        connection.isQueued = true
        ready.append(connection.key)
        if isNews { changed() }
    }
}
