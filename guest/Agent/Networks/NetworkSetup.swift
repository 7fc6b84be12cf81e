import Support

/// Brings up the network cards that the host gave the guest, with an address of each: at the start of a guest with our own init, and
/// as `aerie-agent --networks`.
///
/// Cards whose addresses the host has chosen are left alone. A network that does not answer within two seconds is asked again in the
/// background, by busybox's client, as is one whose lease ends.
enum NetworkSetup {
    private static let limit: UInt64 = 2000
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
        let chosen = chosenAddresses()
        for card in cards() {
            guard let socket = try? InterfaceRequest.socket() else { continue }
            try? InterfaceRequest.bringUp(card.name, socket)
            guard !chosen.contains(card.address) else { continue }
            if !configure(card) { askInBackground(card.name) }
        }
    }

    private static func chosenAddresses() -> [[UInt8]] {
        var found: [[UInt8]] = []
        for line in (FileAccess.contents("/run/aerie/network") ?? []).parts(separatedBy: 10) {
            let words = line.words
            if words.count == 3, words[0] == "address" { found.append(words[1]) }
        }
        return found
    }

    private static func cards() -> [Card] {
        var found: [Card] = []
        FileFacts.forEachName(in: [UInt8]("/sys/class/net")) { name in
            guard found.count < AgentLimits.cards, attribute(name, "/device/uevent") != nil,
                let index = attribute(name, "/ifindex")?.number, let address = attribute(name, "/address")
            else { return }
            found.append(Card(name: name, index: UInt32(truncatingIfNeeded: index), address: address))
        }
        return found
    }

    private static func attribute(_ name: [UInt8], _ attribute: StaticString) -> [UInt8]? {
        var path = [UInt8]("/sys/class/net/")
        path.add(name)
        path.add(attribute)
        return FileAccess.contents(path, limit: 256)?.trimmed
    }

    // MARK: Addresses

    /// - Returns: whether the card has an address for good.
    private static func configure(_ card: Card) -> Bool {
        guard attribute(card.name, "/carrier") == [UInt8(ascii: "1")],
            let hardware = AddressText.parseHardware(card.address),
            let lease = DHCPClient.lease(index: card.index, hardware: hardware, within: limit)
        else { return false }
        do throws(Errno) {
            try apply(lease, to: card)
        } catch { return false }
        return lease.seconds == UInt32.max
    }

    private static func apply(_ lease: DHCPMessage, to card: Card) throws(Errno) {
        let socket = try InterfaceRequest.socket()
        try InterfaceRequest.setAddress(lease.address, mask: lease.mask, of: card.name, socket)
        let isUserNetwork = lease.router == host
        if !lease.router.isEmpty {
            var route = Route(card: card.name)
            // A larger window brings bursts that passt's socket does not take; the host's end of a connection is near.
            if isUserNetwork { route.window = 262_144 }
            // A card that is plugged into a guest with a way out leaves that way as it is.
            if hasDefaultRoute(besides: card.name) { route.metric = 1024 }
            if isUserNetwork { route.add(to: lease.router, socket) }
            route.addDefault(by: lease.router, socket)
        }
        writeResolver(lease)
        writeHosts(namesHost: isUserNetwork)
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

    /// Names the host in the file of hosts, or takes the name out.
    private static func writeHosts(namesHost: Bool) {
        let limit = 1 << 20
        let old = FileAccess.contents("/etc/hosts", limit: limit) ?? []
        guard old.count < limit else { return }
        var text: [UInt8] = []
        for line in old.parts(separatedBy: 10) where !line.isEmpty {
            if let last = line.words.last, last == hostName { continue }
            text.add(line)
            text.append(10)
        }
        if namesHost {
            text.add(AddressText.v4(host))
            text.append(9)
            text.add(hostName)
            text.append(10)
        }
        if text != old { try? FileAccess.create("/etc/hosts", with: text, mode: 0o644, followsLinks: true) }
    }

    // MARK: The other client

    private static func askInBackground(_ card: [UInt8]) {
        let program = [UInt8]("/usr/bin/busybox")
        var arguments: [[UInt8]] = [program]
        for word in ["udhcpc", "-b", "-S", "-t", "2", "-T", "1", "-A", "10", "-s", "/usr/lib/aerie/dhcp", "-i"]
            as [StaticString]
        {
            arguments.append([UInt8](word))
        }
        arguments.append(card)
        AgentFiles.startProgram(program, arguments)
    }
}
