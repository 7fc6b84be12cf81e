internal import HostNetwork
internal import HostSystem
internal import VirtioDevices

extension Configuration {
    /// The most network cards of a machine.
    static let mostNetworkCards = 8

    /// The program of the network `user`; nil where it is not installed.
    package static func findPasst() -> String? { PasstBackend.locate() }

    /// The number of cards, and their addresses.
    func validateCards() throws(AerieError) {
        if networkCards.count > Self.mostNetworkCards {
            throw AerieError(
                .usage, asked: "\(networkCards.count) network cards",
                found: "a machine has at most \(Self.mostNetworkCards)", advice: "leave some out")
        }
        for card in networkCards { try card.validate() }
        let addresses = networkCards.compactMap { $0.macAddress?.lowercased() }
        if addresses.indices.contains(where: { addresses[..<$0].contains(addresses[$0]) }) {
            throw AerieError(
                .usage, asked: "--network", found: "two cards have the same MAC address", advice: "give each its own")
        }
    }

    func validateNetwork() throws(AerieError) {
        try validateCards()
        try sockets?.validate()
        let hasUserNetwork = networkCards.contains { $0.network == .user }
        if hasUserNetwork, Self.findPasst() == nil {
            throw AerieError(
                .unavailable, asked: "--network user", found: "passt is not installed",
                advice: "apt-get install passt, or use --network none")
        }
        guard publishedPorts.isEmpty || hasUserNetwork else {
            throw AerieError(
                .usage, asked: "--publish", found: "the guest has no card with the network 'user'",
                advice: "add --network user")
        }
        for port in publishedPorts { try port.validate() }
        _ = try egressRules()
        guard allowedEgress.isEmpty || !networkCards.isEmpty else {
            throw AerieError(
                .usage, asked: "--allow-egress", found: "the guest has no network card", advice: "add --network user")
        }
    }

    private func egressRules() throws(AerieError) -> [EgressRule] {
        try allowedEgress.map { text throws(AerieError) in
            if let rule = EgressRule(text) { return rule }
            throw AerieError(
                .usage, asked: "--allow-egress \(text)", found: "it is not a host, a domain or a range of addresses",
                advice: "use a form such as deb.debian.org, *.debian.org:443, 192.0.2.0/24 or [2001:db8::/32]:443")
        }
    }

    /// The passt of each user network: the index of its card and the command line, without the program's options for its socket.
    /// `validate()` comes first.
    package func passtCommands() throws(AerieError) -> [(card: Int, path: String, arguments: [String])] {
        var ports = publishedPorts
        let isFiltered = try !egressRules().isEmpty
        var result: [(card: Int, path: String, arguments: [String])] = []
        for (index, card) in networkCards.enumerated() where card.network == .user {
            let options = card.passtOptions(ports: ports, isFiltered: isFiltered)
            result.append((serviceNumber(ofCard: index), PasstBackend.locate() ?? "passt", options))
            ports = []
        }
        return result
    }

    /// The directories of the switches' sockets, to which the machine sends by path.
    package var segmentDirectories: [String] {
        networkCards.compactMap { card in
            if case .segment(let name) = card.network { SegmentBackend.directory(of: name) } else { nil }
        }
    }

    /// The virtio-mmio slots of the RISC-V board.
    func validateSlots() throws(AerieError) {
        guard architecture == .riscv64, transport != .pci else { return }
        let consoles = (console == .virtio ? 1 : 0) + (hasControlPort ? 1 : 0)
        let room =
            RISCVMemoryMap.virtioSlots - consoles - 1 - (sockets == nil ? 0 : 1)
            - (growthMethod == nil ? 0 : 1)
        guard disks.count + networkCards.count + shares.count > room else { return }
        let asked =
            (disks.isEmpty ? [] : ["\(disks.count) disks"])
            + (networkCards.isEmpty ? [] : ["\(networkCards.count) network cards"])
            + (shares.isEmpty ? [] : ["\(shares.count) shared folders"])
        throw AerieError(
            .usage, asked: asked.joined(separator: ", "),
            found: "the machine's \(RISCVMemoryMap.virtioSlots) virtio-mmio slots have room for \(room) of them",
            advice: "use --transport pci")
    }

    /// The cards' devices, in the order of the configuration.
    func makeNetworkDevices(_ services: HostServices, _ log: Log) throws(AerieError) -> [NetworkDevice] {
        var ports = publishedPorts
        var devices: [NetworkDevice] = []
        for (index, card) in networkCards.enumerated() {
            devices.append(try makeNetworkDevice(index, ports: ports, services, log))
            if card.network == .user { ports = [] }
        }
        return devices
    }

    /// Whether the machine starts with Aerie's own initial RAM disk, and does not go on from a saved or a moving one.
    func bootsImage(_ services: HostServices) -> Bool {
        services.memory == nil && services.arrival == nil && !appendedInitrd.isEmpty
    }

    /// Whether the guest is going to ask for an address of a card soon after it boots, as Aerie's own initial RAM disk does. Clients of published
    /// ports come at any time; they are refused until the guest has its card.
    private func isAwaited(_ card: NetworkCard, _ ports: [PublishedPort], _ services: HostServices) -> Bool {
        bootsImage(services) && card.slot == nil && ports.isEmpty
    }

    /// The device of a card.
    ///
    /// - Parameters:
    ///   - ports: what a user network publishes.
    ///   - interface: the card's interface if somebody else has opened it.
    func makeNetworkDevice(
        _ index: Int, ports: [PublishedPort], _ services: HostServices, interface: OpenInterface? = nil, _ log: Log
    ) throws(AerieError) -> NetworkDevice {
        let rules = try egressRules()
        let card = networkCards[index]
        let name = card.slot.map { "network in slot \($0)" } ?? "network\(index)"
        let starter = services.startPasst?(serviceNumber(ofCard: index))
        var backend: any NetworkBackend =
            if let interface { try interface.makeBackend() } else {
                try card.makeBackend(
                    name: name, ports: ports, isFiltered: !rules.isEmpty,
                    isAwaited: isAwaited(card, ports, services), starter)
            }
        if !rules.isEmpty {
            let isUser = card.network == .user
            let published = isUser ? ports.map { PublishedGuestPort($0.guestPort, isUDP: $0.transport == .udp) } : []
            backend = FilteredBackend(
                backend, rules: rules, hostAddress: isUser ? NetworkCard.hostAddress : nil,
                publishedPorts: Set(published), name: name)
        }
        return NetworkDevice(
            backend: backend, address: try card.address(index), isAddressGiven: card.macAddress != nil,
            pairCount: card.queues ?? 1, rate: card.rate.deviceRate, log: log)
    }
}

extension NetworkCard {
    /// The addresses of passt's network, the same on every host, so that a saved guest finds it again.
    private static let userNetwork = ["--address", "10.0.2.15", "--netmask", "24", "--gateway", "10.0.2.2"]
    /// Where passt leads to the host's loopback.
    fileprivate static let hostAddress = IPAddress("10.0.2.2")

    /// - Parameter isFiltered: whether an egress policy stands before the network. passt leads the router of IPv6 to the host's loopback
    ///   as well, at an address that the policy does not know, so that such a network has IPv4 only.
    fileprivate func passtOptions(ports: [PublishedPort], isFiltered: Bool) -> [String] {
        Self.userNetwork + (isFiltered ? ["--ipv4-only"] : []) + ports.flatMap(\.passtOption)
    }

    /// - Parameters:
    ///   - ports: what a user network publishes.
    ///   - isFiltered: as in `passtOptions`.
    ///   - isAwaited: whether the guest is expected to use the network while it boots.
    ///   - starter: starts passt; nil starts it from this process.
    fileprivate func makeBackend(
        name: String, ports: [PublishedPort], isFiltered: Bool, isAwaited: Bool, _ starter: (any PasstStarter)?
    ) throws(AerieError) -> any NetworkBackend {
        switch network {
        case .user:
            let path = PasstBackend.locate() ?? "passt"
            let options = passtOptions(ports: ports, isFiltered: isFiltered)
            return PasstBackend(
                name: name, path: path, listens: !ports.isEmpty, startsEarly: isAwaited,
                starter: starter ?? ChildPasstStarter(path: path, arguments: options))
        case .tap(let interface):
            return try wrapping("--network tap\(interface.map { "=\($0)" } ?? "")") { () throws(SystemError) in
                // An egress policy sees a single stream of frames.
                try TapBackend(interface: interface, queueCount: isFiltered ? 1 : queues ?? 1)
            }
        case .segment(let segment):
            return try wrapping("--network switch=\(segment)") { () throws(SystemError) in
                try SegmentBackend(segment: segment)
            }
        }
    }

    /// A user network is the card's own, so that its address may be the same everywhere.
    fileprivate func address(_ index: Int) throws(AerieError) -> MACAddress {
        if let macAddress, let address = MACAddress(macAddress) { return address }
        guard network != .user else { return MACAddress(local: 0xAE_71_E0_00_00 + UInt64(index)) }
        var bits: UInt64 = 0
        try wrapping("a random MAC address") { () throws(SystemError) in
            try withUnsafeMutableBytes(of: &bits) { bytes throws(SystemError) in try fillWithRandomBytes(bytes) }
        }
        return MACAddress(local: bits)
    }
}
