package import Aerie

/// A guest's place on switches whose addresses the host chooses: the guest's own addresses, and the names of other machines there.
package struct GuestNetwork: Codable, Equatable, Sendable {
    /// The address of the card on a switch.
    package struct Address: Codable, Equatable, Sendable {
        /// The name of the switch.
        package var segment: String
        /// Of IPv4, with dots.
        package var address: String
        /// Bits.
        package var prefix: Int

        package init(segment: String, address: String, prefix: Int) {
            self.segment = segment
            self.address = address
            self.prefix = prefix
        }
    }

    /// The names of a machine.
    package struct Host: Codable, Equatable, Sendable {
        package var address: String
        package var names: [String]

        package init(address: String, names: [String]) {
            self.address = address
            self.names = names
        }
    }

    package var addresses: [Address]
    package var hosts: [Host]

    package init(addresses: [Address] = [], hosts: [Host] = []) {
        self.addresses = addresses
        self.hosts = hosts
    }

    /// The text for the guest's agent (docs/agent-protocol.md).
    ///
    /// - Parameter cards: of the machine. An address without a card on its switch, or whose card has no MAC address, is left out.
    package func text(_ cards: [NetworkCard]) -> String {
        var lines: [String] = []
        for address in addresses {
            let card = cards.first { $0.network == .segment(address.segment) }
            guard let mac = card?.macAddress?.lowercased() else { continue }
            lines.append("address \(mac) \(address.address)/\(address.prefix)")
        }
        for host in hosts { lines.append("host \(host.address) \(host.names.joined(separator: " "))") }
        return lines.map { $0 + "\n" }.joined()
    }
}
