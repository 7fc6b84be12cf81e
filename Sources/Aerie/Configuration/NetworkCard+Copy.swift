internal import HostNetwork
internal import HostSystem

extension NetworkCard {
    /// The first octet of addresses that Aerie makes for copies: unicast and locally administered (IEEE 802, clause 8.4).
    private static let copyPrefix: UInt64 = 0xAE

    /// The MAC address of a card of a copied machine: the same for equal arguments, with 40 bits that depend on them.
    ///
    /// - Parameters:
    ///   - machine: the machine's ID.
    ///   - index: of the card.
    package static func copyAddress(machine: String, index: Int) -> String {
        let hash = FNV1a("\(machine)/\(index)".utf8).value
        // Folded to 40 bits.
        return MACAddress(value: copyPrefix << 40 | (hash ^ hash >> 40) & (1 << 40 - 1)).description
    }

    /// Whether the configuration has an address that is the user's choice, not one of `copyAddress`.
    package var hasChosenAddress: Bool {
        guard let macAddress, let address = MACAddress(macAddress) else { return false }
        return address.value >> 40 != Self.copyPrefix
    }

    /// The configured MAC address in six bytes; nil without one.
    package var addressBytes: [UInt8]? { macAddress.flatMap { MACAddress($0)?.bytes } }
}
