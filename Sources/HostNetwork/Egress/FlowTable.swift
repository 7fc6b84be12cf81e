/// A connection of TCP or an exchange of UDP, as both directions see it.
struct Flow: Hashable {
    let transport: UInt8
    let localPort: UInt16
    let remote: IPAddress
    let remotePort: UInt16

    init(leaving packet: Packet) {
        transport = packet.transport.rawValue
        localPort = packet.sourcePort
        remote = packet.destination
        remotePort = packet.destinationPort
    }

    init(arriving packet: Packet) {
        transport = packet.transport.rawValue
        localPort = packet.destinationPort
        remote = packet.source
        remotePort = packet.sourcePort
    }
}

/// The flows whose packets pass without being judged again, so that a connection outlives the name's answer that it began with.
struct FlowTable {
    private static let limit = 8192
    /// Seconds without a packet after which a flow is forgotten, for TCP (RFC 5382, section 5) and UDP (RFC 4787, section 4.3).
    private static let idleTimes: [UInt8: UInt64] = [
        Packet.Transport.tcp.rawValue: 7440, Packet.Transport.udp.rawValue: 300,
    ]

    private var lastUses: [Flow: UInt64] = [:]

    mutating func insert(_ flow: Flow, now: UInt64) {
        if lastUses.count >= Self.limit, lastUses[flow] == nil { makeRoom(now) }
        lastUses[flow] = now
    }

    mutating func contains(_ flow: Flow, now: UInt64) -> Bool {
        guard let last = lastUses[flow], isAlive(flow, last, now) else { return false }
        lastUses[flow] = now
        return true
    }

    private func isAlive(_ flow: Flow, _ last: UInt64, _ now: UInt64) -> Bool {
        now < last + Self.idleTimes[flow.transport, default: 0]
    }

    /// Forgets what has been idle for long, and if that is not enough, what was used least recently.
    private mutating func makeRoom(_ now: UInt64) {
        lastUses = lastUses.filter { isAlive($0.key, $0.value, now) }
        guard lastUses.count >= Self.limit else { return }
        let kept = lastUses.sorted { $0.value > $1.value }.prefix(Self.limit * 7 / 8)
        lastUses = Dictionary(uniqueKeysWithValues: kept.map { ($0.key, $0.value) })
    }
}
