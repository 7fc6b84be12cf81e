import Support

/// Brings up the network cards that the host gave the guest, with an address of each: at the start of a guest with our own init, and
/// as `aerie-agent --networks`.
///
/// Cards whose addresses the host has chosen are left alone. A user network answers at once and gives its address for good. Any other
/// network is busybox's client's, which goes on in the background when nobody has answered within two seconds.
enum NetworkSetup {
    /// For the answers of a user network, in milliseconds.
    private static let limit: UInt64 = 500
    /// The router of a user network, which is the host's loopback.
    private static let host: [UInt8] = [10, 0, 2, 2]
    private static let hostName: StaticString = "host.aerie.internal"

    private struct Card {
        let name: [UInt8]
        let index: UInt32
        /// As text, in lowercase.
        let address: [UInt8]
    }

    /// The agent's commands wait until it has ended, if there is a mark for it (`WaitingCommand`).
    static func configureCards() {
        configure()
        if FileAccess.exists(WaitingCommand.mark) { try? FileAccess.create(WaitingCommand.mark, with: [], mode: 0o644) }
    }

    /// Lets the agent's commands wait for `configureCards`.
    static func announce() {
        try? FileAccess.create(WaitingCommand.mark, with: [UInt8]("The network is coming up.\n"), mode: 0o644)
    }

    private static func configure() {
        Network.bringUpLoopback()
        guard let socket = try? InterfaceRequest.socket() else { return }
        let cards = cards()
        for card in cards { try? InterfaceRequest.bringUp(card.name, socket) }
        let chosen = StaticNetwork.chosenCards
        for card in cards where !chosen.contains(card.address) {
            let hasLink = awaitLink(card)
            if !hasLink || !configure(card, socket) { ask(card.name, isAwaited: hasLink) }
        }
    }

    /// In the order of their numbers: the first one's routes and name servers count.
    private static func cards() -> [Card] {
        var found: [Card] = []
        FileFacts.forEachName(in: [UInt8](NetworkCards.directory)) { name in
            guard found.count < AgentLimits.cards, NetworkCards.attribute(name, "/device/uevent") != nil,
                let index = NetworkCards.attribute(name, "/ifindex")?.number,
                let address = NetworkCards.attribute(name, "/address")
            else { return }
            let card = Card(name: name, index: UInt32(truncatingIfNeeded: index), address: address)
            found.insert(card, at: found.firstIndex { $0.index > card.index } ?? found.count)
        }
        return found
    }

    // MARK: Addresses

    /// Whether the card has a link. Drivers may say so a moment after the card is there.
    private static func awaitLink(_ card: Card) -> Bool {
        for _ in 0..<100 {
            if NetworkCards.attribute(card.name, "/carrier") == [UInt8(ascii: "1")] { return true }
            Clock.sleep(milliseconds: 1)
        }
        return false
    }

    /// - Returns: whether the card is on a user network.
    private static func configure(_ card: Card, _ socket: borrowing Descriptor) -> Bool {
        guard let hardware = AddressText.parseHardware(card.address) else { return false }
        let lease = DHCPClient.lease(index: card.index, hardware: hardware, within: limit) { offer in
            offer.router == host && offer.seconds == UInt32.max
        }
        guard let lease,
            (try? InterfaceRequest.setAddress(lease.address, mask: lease.mask, of: card.name, socket)) != nil
        else { return false }
        var route = Route(card: card.name)
        // A larger window brings bursts that passt's socket does not take; the host's end of a connection is near.
        route.window = 262_144
        // A further card leaves the way out as it is.
        if hasDefaultRoute(besides: card.name) { route.metric = 1024 }
        route.add(to: host, socket)
        route.addDefault(by: host, socket)
        writeResolver(lease)
        nameHost()
        return true
    }

    private static func hasDefaultRoute(besides card: [UInt8]) -> Bool {
        for line in (FileAccess.contents("/proc/net/route") ?? []).parts(separatedBy: 10) {
            let words = line.words
            if words.count > 2, words[1] == "00000000", words[0] != card { return true }
        }
        return false
    }

    private static func writeResolver(_ lease: DHCPMessage) {
        var text: [UInt8] = []
        // A domain is a name; whatever else a server sends is none.
        let isName = !lease.domain.contains { $0 <= 32 || $0 >= 127 }
        if isName, !lease.domain.isEmpty {
            text.add("search ")
            text.add(lease.domain)
            text.append(10)
        }
        var position = 0
        while position + 4 <= lease.nameServers.count {
            text.add("nameserver ")
            text.add(AddressText.v4(Array(lease.nameServers[position..<position + 4])))
            text.append(10)
            position += 4
        }
        try? FileAccess.create("/etc/resolv.conf", with: text, mode: 0o644, followsLinks: true)
    }

    /// Names the host in the file of hosts, once.
    private static func nameHost() {
        var entry = AddressText.v4(host)
        entry.append(9)
        entry.add(hostName)
        var isNamed = false
        func keeps(_ line: [UInt8]) -> Bool {
            guard let last = line.words.last, last == hostName else { return true }
            guard !isNamed, line == entry else { return false }
            isNamed = true
            return true
        }
        try? HostsFile.change([UInt8]("/etc/hosts"), keeps: keeps, further: { isNamed ? [] : [entry] })
    }

    // MARK: The other client

    /// - Parameter isAwaited: whether to wait until the client has an address or goes on in the background.
    private static func ask(_ card: [UInt8], isAwaited: Bool) {
        let program = [UInt8]("/usr/bin/busybox")
        var arguments: [[UInt8]] = [program]
        let words: StaticString = "udhcpc -b -S -t 2 -T 1 -A 10 -s /usr/lib/aerie/dhcp -i"
        arguments += [UInt8](words).words
        arguments.append(card)
        let process = AgentFiles.startProgram(program, arguments)
        if isAwaited, let process { _ = system(SystemCall.wait4, Int(process), 0, 0, 0) }
    }
}
