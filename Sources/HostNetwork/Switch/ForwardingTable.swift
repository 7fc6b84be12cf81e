/// Which member of a segment an address was last seen at, as a learning bridge remembers it (IEEE 802.1Q, clause 8.7).
struct ForwardingTable {
    /// The most addresses; a member that uses more is reached by flooding.
    static let limit = 1024

    private var members: [MACAddress: String] = [:]

    /// Learns from a frame's source.
    mutating func learn(_ source: MACAddress, at member: String) {
        guard !source.isMulticast, members[source] != member else { return }
        if members.count >= Self.limit, members[source] == nil { members.removeAll(keepingCapacity: true) }
        members[source] = member
    }

    func member(of destination: MACAddress) -> String? {
        destination.isMulticast ? nil : members[destination]
    }

    mutating func forget(_ member: String) {
        members = members.filter { $0.value != member }
    }
}
