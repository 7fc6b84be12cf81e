internal import HostSystem

/// A network of a project: a switch, on which each service has an address and names.
package struct ComposeNetwork: Equatable, Sendable {
    /// The network of services that name none.
    static let defaultName = "default"
    /// The longest name of a switch in bytes.
    private static let longestSegment = 32

    package let name: String
    /// The name of its switch.
    package let segment: String
    /// Whether its services have no way out through it.
    package internal(set) var isInternal = false
    /// As `A.B.C.D/PREFIX`; nil for one that is chosen.
    package internal(set) var subnet: String?
    package let place: ComposePlace

    init(_ name: String, segment: String, place: ComposePlace) {
        self.name = name
        self.segment = segment
        self.place = place
    }

    /// The name of the switch of a project's own network: PROJECT-NETWORK, or its beginning and a digest where that is too long.
    static func segment(project: String, network: String) -> String {
        let name = "\(project)-\(network)"
        guard name.utf8.count > longestSegment else { return name }
        return "\(name.prefix(longestSegment - 17))-\(FNV1a(name.utf8).text)"
    }
}
