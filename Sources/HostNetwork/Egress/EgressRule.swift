/// A destination that a guest may reach: a host by its name, all hosts of a domain, or a range of addresses, each with one port or all.
package struct EgressRule: Equatable, Sendable {
    package enum Destination: Equatable, Sendable {
        /// In lower case, without a dot at the end.
        case host(String)
        /// All names below a domain, but not the domain's own.
        case domain(String)
        case range(IPAddress, prefix: Int)
    }

    package let destination: Destination
    /// Nil for all ports.
    package let port: UInt16?

    /// Parses `HOST|*.DOMAIN|CIDR[:PORT]`; an IPv6 range with a port stands in brackets. Nil for anything else.
    package init?(_ text: String) {
        var name = Substring(text)
        var port: UInt16?
        if name.hasPrefix("[") {
            guard let end = name.lastIndex(of: "]") else { return nil }
            let rest = name[name.index(after: end)...]
            name = name[name.index(after: name.startIndex)..<end]
            if !rest.isEmpty {
                guard rest.first == ":", let number = UInt16(rest.dropFirst()), number > 0 else { return nil }
                port = number
            }
        } else if let colon = name.firstIndex(of: ":"), name.lastIndex(of: ":") == colon {
            guard let number = UInt16(name[name.index(after: colon)...]), number > 0 else { return nil }
            port = number
            name = name[..<colon]
        }
        guard let destination = Self.destination(String(name)) else { return nil }
        self.destination = destination
        self.port = port
    }

    private static func destination(_ text: String) -> Destination? {
        let halves = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        if halves.count <= 2, let address = IPAddress(halves[0]) {
            let width = address.isIPv6 ? 128 : 32
            guard halves.count == 2 else { return .range(address, prefix: width) }
            guard let prefix = Int(halves[1]), (0...width).contains(prefix) else { return nil }
            return .range(address, prefix: prefix)
        }
        let isDomain = text.hasPrefix("*.")
        var name = isDomain ? text.dropFirst(2) : Substring(text)
        if name.hasSuffix(".") { name = name.dropLast() }
        guard isName(name) else { return nil }
        return isDomain ? .domain(name.lowercased()) : .host(name.lowercased())
    }

    /// Letters, digits, hyphens and underscores in parts of 1 to 63 bytes, 253 in all (RFC 1035, section 2.3.1).
    private static func isName(_ name: Substring) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return name.utf8.count <= 253
            && parts.allSatisfy { part in
                (1...63).contains(part.utf8.count)
                    && part.utf8.allSatisfy { byte in
                        UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
                            || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || byte == UInt8(ascii: "-")
                            || byte == UInt8(ascii: "_")
                    }
            }
    }

    /// Whether a name in lower case, without a dot at the end, is the rule's.
    func admits(name: String) -> Bool {
        switch destination {
        case .host(let host): name == host
        case .domain(let domain): name.hasSuffix(".\(domain)") && name.utf8.count > domain.utf8.count + 1
        case .range: false
        }
    }

    func admits(_ address: IPAddress, port: UInt16?) -> Bool {
        guard case .range(let range, let prefix) = destination, address.isIPv6 == range.isIPv6 else { return false }
        let shift = UInt128((range.isIPv6 ? 128 : 32) - prefix)
        return (shift == 128 || address.value >> shift == range.value >> shift) && admits(port: port)
    }

    /// Whether the rule is a range with a single address.
    var isOneAddress: Bool {
        if case .range(let address, let prefix) = destination { prefix == (address.isIPv6 ? 128 : 32) } else { false }
    }

    /// Nil for a protocol without ports.
    func admits(port: UInt16?) -> Bool { self.port == nil || port == nil || self.port == port }
}
