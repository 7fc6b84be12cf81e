/// Decides which frames may leave a guest: those to destinations that a rule names, and what a network needs to work at all.
///
/// The rules for names work through the resolver: a query for a name that no rule has is refused, and the addresses in the answer to one
/// that a rule has may be reached as long as the answer lives. Only resolvers that the network announced by DHCP are asked. Answers on
/// connections from outside, to published ports, pass.
struct EgressPolicy {
    enum Verdict: Equatable {
        case pass
        /// The frame is dropped, and the guest gets a frame that says so, where there is one.
        case refuse(answer: [UInt8]?, subject: String)
    }

    /// The name by which rules mean the host's loopback: the router of a user network.
    static let hostName = "host.aerie.internal"

    private struct Query: Hashable {
        let identifier: UInt16
        let port: UInt16
        let name: String
    }

    /// Seconds.
    private static let queryLifetime: UInt64 = 30
    private static let lifetimes: ClosedRange<UInt32> = 60...86_400
    private static let mostQueries = 1024
    private static let mostResolvers = 8
    /// The longest ARP packet in a frame with padding, and the longest message of neighbor discovery that is let through.
    private static let longestARP = 64
    private static let longestNeighborMessage = 256

    private let rules: [EgressRule]
    private var resolvers: Set<IPAddress> = []
    private var routers: Set<IPAddress> = []
    private var queries: [Query: UInt64] = [:]
    private var learned = LearnedAddresses()
    private var flows = FlowTable()

    init(rules: [EgressRule]) {
        self.rules = rules
    }

    /// The routers and resolvers that DHCP announced: the number of routers, and the 4 bytes of each address.
    var networkServers: [UInt8] {
        get { [UInt8(routers.count)] + (Array(routers) + Array(resolvers)).flatMap(\.bytes) }
        set {
            guard let count = newValue.first.map(Int.init), newValue.count % 4 == 1,
                count <= newValue.count / 4, newValue.count / 4 <= 2 * Self.mostResolvers
            else { return }
            let addresses = stride(from: 1, to: newValue.count, by: 4).map { IPAddress(newValue[$0..<$0 + 4]) }
            routers = Set(addresses.prefix(count))
            resolvers = Set(addresses.dropFirst(count))
        }
    }

    // MARK: Frames of the guest

    /// - Parameter now: seconds of a steady clock.
    mutating func judge(_ frame: UnsafeRawBufferPointer, now: UInt64) -> Verdict {
        let type = frame.word(12)
        if type == 0x0806 {
            return frame.count <= Self.longestARP ? .pass : .refuse(answer: nil, subject: "a long ARP packet")
        }
        guard let packet = Packet(frame) else {
            return .refuse(answer: nil, subject: "a packet that is not TCP, UDP or ICMP, or is a fragment")
        }
        if isHousekeeping(packet, frame) || flows.contains(Flow(leaving: packet), now: now) { return .pass }
        if packet.transport == .udp, packet.destinationPort == 53, resolvers.contains(packet.destination) {
            return judgeQuery(frame, packet, now: now)
        }
        let isICMP = packet.transport == .icmp || packet.transport == .icmp6
        guard admits(packet.destination, port: isICMP ? nil : packet.destinationPort, now: now) else {
            return refusal(frame, packet)
        }
        if !isICMP { flows.insert(Flow(leaving: packet), now: now) }
        return .pass
    }

    private func refusal(_ frame: UnsafeRawBufferPointer, _ packet: Packet) -> Verdict {
        let name =
            switch packet.transport {
            case .tcp: "TCP to \(packet.destination) port \(packet.destinationPort)"
            case .udp: "UDP to \(packet.destination) port \(packet.destinationPort)"
            case .icmp, .icmp6: "ICMP to \(packet.destination)"
            }
        return .refuse(answer: Refusal.answer(to: frame, packet), subject: name)
    }

    /// DHCP and neighbor discovery, which do not leave the link.
    private func isHousekeeping(_ packet: Packet, _ frame: UnsafeRawBufferPointer) -> Bool {
        switch (packet.transport, packet.sourcePort, packet.destinationPort) {
        case (.udp, 68, 67): return packet.destination.isGroup || routers.contains(packet.destination)
        case (.udp, 546, 547): return packet.destination.isGroup
        case (.icmp6, _, _):
            // Router and neighbor solicitations and advertisements, and multicast listener reports.
            return [131, 132, 133, 135, 136, 143].contains(packet.messageType)
                && frame.count <= Self.longestNeighborMessage
        default: return false
        }
    }

    private func admits(_ address: IPAddress, port: UInt16?, now: UInt64) -> Bool {
        if rules.contains(where: { $0.admits(address, port: port) }) || learned.admits(address, port: port, now: now) {
            return true
        }
        return routers.contains(address)
            && rules.contains { $0.destination == .host(Self.hostName) && $0.admits(port: port) }
    }

    private mutating func judgeQuery(_ frame: UnsafeRawBufferPointer, _ packet: Packet, now: UInt64) -> Verdict {
        let payload = UnsafeRawBufferPointer(rebasing: frame[packet.transportOffset + 8..<packet.end])
        guard let message = DNSMessage(payload), !message.isResponse else {
            return .refuse(
                answer: Refusal.answer(to: frame, packet), subject: "a DNS message that is not a plain query")
        }
        guard rules.contains(where: { $0.admits(name: message.name) }) else {
            let answer = Refusal.datagram(message.refusal(), answering: frame, packet)
            return .refuse(answer: answer, subject: "the DNS query for \(message.name)")
        }
        if queries.count >= Self.mostQueries { queries = queries.filter { $0.value > now } }
        if queries.count >= Self.mostQueries { queries.removeAll() }
        let query = Query(identifier: message.identifier, port: packet.sourcePort, name: message.name)
        queries[query] = now + Self.queryLifetime
        return .pass
    }

    // MARK: Frames for the guest

    /// Learns from a frame that comes from the network.
    mutating func observe(_ frame: UnsafeRawBufferPointer, now: UInt64) {
        guard let packet = Packet(frame) else { return }
        let payload = UnsafeRawBufferPointer(rebasing: frame[min(packet.transportOffset + 8, packet.end)..<packet.end])
        switch (packet.transport, packet.sourcePort, packet.destinationPort) {
        case (.udp, 67, 68): observeLease(payload)
        case (.udp, 53, _) where resolvers.contains(packet.source): observeAnswer(payload, packet, now: now)
        case (.udp, _, _): flows.insert(Flow(arriving: packet), now: now)
        case (.tcp, _, _) where packet.isConnectionRequest: flows.insert(Flow(arriving: packet), now: now)
        default: break
        }
    }

    /// Routers and resolvers of a DHCP answer (RFC 2132, sections 3.5 and 3.8).
    private mutating func observeLease(_ message: UnsafeRawBufferPointer) {
        guard message.long(236) == 0x6382_5363 else { return }
        var offset = 240
        while offset + 1 < message.count, message[offset] != 255 {
            guard message[offset] != 0 else {
                offset += 1
                continue
            }
            let (option, count) = (message[offset], Int(message[offset + 1]))
            guard offset + 2 + count <= message.count else { return }
            if option == 3 || option == 6 {
                let addresses = stride(from: 0, to: count - count % 4, by: 4).map {
                    IPAddress(message[offset + 2 + $0..<offset + 6 + $0])
                }
                if option == 3 { routers = Set(addresses.prefix(Self.mostResolvers)) }
                if option == 6 { resolvers = Set(addresses.prefix(Self.mostResolvers)) }
            }
            offset += 2 + count
        }
    }

    private mutating func observeAnswer(_ payload: UnsafeRawBufferPointer, _ packet: Packet, now: UInt64) {
        guard let message = DNSMessage(payload), message.isResponse else { return }
        let query = Query(identifier: message.identifier, port: packet.destinationPort, name: message.name)
        guard let end = queries.removeValue(forKey: query), end > now else { return }
        let ports = rules.filter { $0.admits(name: message.name) }.map(\.port)
        for (address, lifetime) in message.addresses()
        where !address.isLocalOrSpecial && !routers.contains(address) {
            let seconds = UInt64(min(max(lifetime, Self.lifetimes.lowerBound), Self.lifetimes.upperBound))
            for port in ports { learned.insert(address, port: port, until: now + seconds, now: now) }
        }
    }
}
