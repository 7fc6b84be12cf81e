extension ServiceReader {
    private static let mostPorts = 1024

    /// The networks of a service, each with the service's address and names on it.
    mutating func readNetworks(_ node: ComposeNode) throws(ComposeError) {
        if has("network") { throw node.error("'network' or 'network_mode' is given, too", "leave one out") }
        if node.isList {
            for element in try node.list() { try attach(to: element.text(), element.place) }
        } else {
            for entry in try node.mapping() {
                try attach(to: entry.key, entry.place)
                for field in try entry.value.mapping() where !field.key.hasPrefix("x-") {
                    try readAttachment(field, &service.attachments[service.attachments.count - 1])
                }
            }
        }
        guard !service.attachments.isEmpty else {
            throw node.error("no network is named", "name one, or use 'network_mode: none'")
        }
    }

    private mutating func attach(to name: String, _ place: ComposePlace) throws(ComposeError) {
        guard let network = networks[name] else {
            throw ComposeError(
                place, "there is no network '\(name)'", "add it to 'networks' at the top of the file, or use 'default'")
        }
        if let other = service.attachments.first(where: { $0.network.segment == network.segment }) {
            throw ComposeError(
                place,
                "the service is on the switch '\(network.segment)' already, by the network '\(other.network.name)'",
                "leave one out")
        }
        service.attachments.append(ComposeAttachment(network, place: place))
    }

    private func readAttachment(
        _ field: ComposeNode.Entry, _ attachment: inout ComposeAttachment
    ) throws(ComposeError) {
        switch field.key {
        case "mac_address": attachment.macAddress = try field.value.text()
        case "ipv4_address": attachment.address = try field.value.text()
        case "aliases":
            attachment.aliases = try field.value.list().map { (element) throws(ComposeError) in
                try hostname(element)
            }
        default: throw field.unsupported()
        }
    }

    /// An image's service without networks of its own is on the network `default`. Networks that are not internal give a way out.
    mutating func completeNetworks() throws(ComposeError) {
        if has("network") { return }
        if service.attachments.isEmpty {
            // Without the image's agent, nobody in the guest knows of addresses.
            guard has("image") else { return }
            try attach(to: ComposeNetwork.defaultName, entry.place)
        }
        service.hasWayOut = service.attachments.contains { !$0.network.isInternal }
    }

    mutating func readNetworkMode(_ node: ComposeNode) throws(ComposeError) {
        let mode = try node.text()
        guard mode == "none" else {
            throw node.error("the mode '\(mode)' is not supported", "use none, or 'networks'")
        }
        if has("network") || !service.attachments.isEmpty {
            throw node.error("'networks' is given, too", "leave one out")
        }
        try add("network", "none", node.place)
    }

    // MARK: Ports

    mutating func readPorts(_ node: ComposeNode) throws(ComposeError) {
        let elements = try node.list()
        if !elements.isEmpty { portsPlace = node.place }
        for element in elements {
            let ports = element.isMapping ? try longPort(element) : try shortPort(element)
            for port in ports { try add("publish", port, element.place) }
        }
        let count = service.settings.count { $0.name == "publish" }
        guard count <= Self.mostPorts else {
            throw node.error("\(count) ports are published", "publish at most \(Self.mostPorts)")
        }
    }

    /// `[ADDRESS:]HOST:GUEST[/PROTOCOL]`, where HOST and GUEST may be ranges of the same length.
    private func shortPort(_ node: ComposeNode) throws(ComposeError) -> [String] {
        let text = try node.text()
        let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let parts = Self.splitAtEnd(halves[0])
        guard let (rest, target) = parts else {
            throw node.error("'\(text)' names no port of the host", "use HOSTPORT:GUESTPORT")
        }
        let (address, published) = Self.splitAtEnd(rest) ?? ("", rest)
        return try ports(
            address: address, published: published, target: target, halves.count == 2 ? halves[1] : "tcp", node)
    }

    private static func splitAtEnd(_ text: String) -> (String, String)? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        return (String(text[..<colon]), String(text[text.index(after: colon)...]))
    }

    private func longPort(_ node: ComposeNode) throws(ComposeError) -> [String] {
        var values: [String: String] = [:]
        for field in try node.mapping() {
            switch field.key {
            case "target", "published", "host_ip", "protocol": values[field.key] = try field.value.text()
            // Texts for people.
            case "name", "app_protocol": _ = try field.value.text()
            default: throw field.unsupported()
            }
        }
        guard let target = values["target"], let published = values["published"] else {
            throw node.error("'target' or 'published' is missing", "write both")
        }
        return try ports(
            address: values["host_ip"] ?? "", published: published, target: target, values["protocol"] ?? "tcp", node)
    }

    /// The texts of `--publish`.
    private func ports(
        address: String, published: String, target: String, _ transport: String, _ node: ComposeNode
    ) throws(ComposeError) -> [String] {
        guard transport == "tcp" || transport == "udp" else {
            throw node.error("the protocol '\(transport)' is not supported", "use tcp or udp")
        }
        guard let host = Self.range(published), let guest = Self.range(target), host.count == guest.count else {
            throw node.error(
                "'\(published):\(target)' is not a pair of ports",
                "use ports from 1 to 65535, or ranges of the same length")
        }
        guard host.count <= Self.mostPorts else {
            throw node.error("\(host.count) ports are published", "publish at most \(Self.mostPorts)")
        }
        return zip(host, guest).map { host, guest in
            (address.isEmpty ? "" : "\(address):") + "\(host):\(guest)" + (transport == "udp" ? "/udp" : "")
        }
    }

    private static func range(_ text: String) -> ClosedRange<Int>? {
        let ends = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map { UInt16($0) }
        guard let first = ends[0], let last = ends.count == 2 ? ends[1] : first, first > 0, first <= last else {
            return nil
        }
        return Int(first)...Int(last)
    }

    /// Published ports reach the guest through a user network.
    func checkPorts(_ place: ComposePlace) throws(ComposeError) {
        let networks = service.settings.filter { $0.name == "network" }
        let isReachable =
            service.hasWayOut || networks.isEmpty && service.attachments.isEmpty
            || networks.contains { setting in
                if case .text(let text) = setting.value { text == "user" || text.hasPrefix("user,") } else { false }
            }
        guard isReachable else {
            throw ComposeError(
                place, "the service is on internal networks only, through which no ports are published",
                "add a network that is not internal, such as 'default', to 'networks'")
        }
    }
}
