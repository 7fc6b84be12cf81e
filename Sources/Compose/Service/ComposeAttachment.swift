/// A service's place on a network of its project.
package struct ComposeAttachment: Equatable, Sendable {
    package let network: ComposeNetwork
    /// Names of the service on this network, besides its own.
    package internal(set) var aliases: [String] = []
    /// Nil for one that is chosen.
    package internal(set) var macAddress: String?
    /// Of IPv4, with dots; nil for one that is chosen.
    package internal(set) var address: String?
    package let place: ComposePlace

    init(_ network: ComposeNetwork, place: ComposePlace) {
        self.network = network
        self.place = place
    }

    /// What makes the machine: not its names, which a running guest learns anew.
    var texts: [String] { [network.segment, network.subnet ?? "", macAddress ?? "", address ?? ""] }
}
