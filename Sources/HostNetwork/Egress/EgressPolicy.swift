/// Decides which frames may leave a guest: those to destinations that a rule names, and what a network needs to work at all.
///
/// The rules for names work through the resolver: a query for a name that no rule has is refused, and the addresses in the answer to one
/// that a rule has may be reached as long as the answer lives. Only resolvers that the network announced by DHCP are asked. Answers on
/// connections from outside pass for ports that are published. The policy judges where IP packets go, not who on the link takes a frame.
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
    private static let mostRequests = 16
    private static let mostResolvers = 8

    private let rules: [EgressRule]
    private let hostAddress: IPAddress?
    private let publishedPorts: Set<PublishedGuestPort>
    private var resolvers: Set<IPAddress> = []
    // Identifiers of DHCP requests, the latest last.
    private var leaseRequests: [UInt32] = []
    private var queries: [Query: UInt64] = [:]
    private var learned = LearnedAddresses()
    private var flows = FlowTable()

    /// - Parameters:
    ///   - hostAddress: the address that leads to the host's loopback; nil where none does.
    ///   - publishedPorts: the guest's ports that connections from outside may reach.
    init(rules: [EgressRule], hostAddress: IPAddress? = nil, publishedPorts: Set<PublishedGuestPort> = []) {
        self.rules = rules
        self.hostAddress = hostAddress
        self.publishedPorts = publishedPorts
    }

    /// The resolvers that DHCP announced: 4 bytes each.
    var savedResolvers: [UInt8] {
        get { resolvers.flatMap(\.bytes) }
        set {
            guard newValue.count % 4 == 0, newValue.count / 4 <= Self.mostResolvers else { return }
            resolvers = Set(stride(from: 0, to: newValue.count, by: 4).map { IPAddress(newValue[$0..<$0 + 4]) })
        }
    }

    // MARK: Frames of the guest

    /// - Parameter now: seconds of a steady clock.
    mutating func judge(_ frame: UnsafeRawBufferPointer, now: UInt64) -> Verdict {
        if frame.word(12) == 0x0806 {
            return LinkMessage.isARP(frame) ? .pass : .refuse(answer: nil, subject: "a malformed ARP packet")
        }
        guard let packet = Packet(frame) else {
            return .refuse(answer: nil, subject: "a packet that is not TCP, UDP or ICMP, or is a fragment")
        }
        switch LinkMessage(packet, frame, hostAddress: hostAddress) {
        case .leaseRequest(let identifier):
            leaseRequests = leaseRequests.suffix(Self.mostRequests - 1) + [identifier]
            return .pass
        case .housekeeping: return .pass
        case .forbidden: return refusal(frame, packet)
        case nil: break
        }
        if packet.transport == .udp, packet.destinationPort == 53, resolvers.contains(packet.destination) {
            return judgeQuery(frame, packet, now: now)
        }
        // A new connection is judged even when it has the ports of an old one.
        if !packet.isConnectionRequest, flows.contains(Flow(leaving: packet), now: now) { return .pass }
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

    /// A range of many addresses does not mean the host: only its name or its own address does.
    private func admits(_ address: IPAddress, port: UInt16?, now: UInt64) -> Bool {
        let isHost = address == hostAddress || address.isLocalOrSpecial
        let isInRange = rules.contains { $0.admits(address, port: port) && (!isHost || $0.isOneAddress) }
        if isInRange || !isHost && learned.admits(address, port: port, now: now) { return true }
        return address == hostAddress
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
        case (.udp, _, let port),
            (.tcp, _, let port) where packet.isConnectionRequest || packet.transport == .udp:
            guard publishedPorts.contains(PublishedGuestPort(port, isUDP: packet.transport == .udp)) else { return }
            flows.insert(Flow(arriving: packet), now: now)
        default: break
        }
    }

    /// The resolvers in the answer to a request of the guest's (RFC 2131, section 2; RFC 2132, section 3.8).
    private mutating func observeLease(_ message: UnsafeRawBufferPointer) {
        guard message.count >= 240, message[0] == 2, message.long(236) == LinkMessage.leaseCookie,
            let identifier = message.long(4), leaseRequests.contains(identifier)
        else { return }
        var offset = 240
        while offset + 1 < message.count, message[offset] != 255 {
            guard message[offset] != 0 else {
                offset += 1
                continue
            }
            let (option, count) = (message[offset], Int(message[offset + 1]))
            guard offset + 2 + count <= message.count else { return }
            if option == 6 {
                let addresses = stride(from: 0, to: count - count % 4, by: 4).map {
                    IPAddress(message[offset + 2 + $0..<offset + 6 + $0])
                }
                resolvers = Set(addresses.prefix(Self.mostResolvers))
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
        where !address.isLocalOrSpecial && address != hostAddress {
            let seconds = UInt64(min(max(lifetime, Self.lifetimes.lowerBound), Self.lifetimes.upperBound))
            for port in ports { learned.insert(address, port: port, until: now + seconds) }
        }
    }
}
