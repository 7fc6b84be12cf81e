internal import HostNetwork
internal import VirtioDevices

/// A guest's network card: the network behind it, and its address.
public struct NetworkCard: Codable, Equatable, Sendable {
    /// The network that a card is connected to.
    public enum Network: Codable, Equatable, Sendable {
        /// A network of the card's own behind the host's address, without privileges: passt translates the guest's packets to sockets of
        /// the host. The guest has the address 10.0.2.15; 10.0.2.2 is the host's loopback.
        case user
        /// A TAP interface of the host, which belongs to the user or is created with CAP_NET_ADMIN; nil lets the kernel name it.
        case tap(String?)
        /// An Ethernet segment of this name, which all machines of the user on this host share and nothing else reaches.
        case segment(String)
    }

    /// The network that the card is connected to.
    public var network: Network
    /// The MAC address, as six pairs of hexadecimal digits with colons between them: unicast. Nil for an address that is the same at each
    /// start on a user network, and a random one elsewhere.
    public var macAddress: String?
    /// The most frames and bytes in a second, in each direction.
    public var rate = RateLimit()
    /// The hot-plug slot that the card is in, 1 to `Configuration.hotplugSlots`, so that a running guest can lose it; nil for a card that stays as long
    /// as the machine. With the transport `pci` only.
    public var slot: Int?
    /// The most pairs of queues, 1 to 16, that the guest may use: a Linux guest uses one for each of its vCPUs. Nil for one pair. Each
    /// pair has interrupts of its own where the machine has PCI and messages (x86_64, and riscv64 with `aia`).
    public var queues: Int?

    /// Describes a card. `Configuration.validate()` checks the values.
    public init(network: Network = .user, macAddress: String? = nil) {
        self.network = network
        self.macAddress = macAddress
    }

    /// Parses `user|tap[=NAME]|switch=NAME[,mac=M][,queues=N][,rate=R][,slot=N]`. `R` is a number of bytes with K, M or G, or of packets, such as
    /// `1000pps`; both can be given.
    ///
    /// - Throws: an error of category `usage` for an unknown network or setting.
    public init(option text: String) throws(AerieError) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        func pair(_ part: String) -> (String, String?) {
            let halves = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            return (halves[0], halves.count == 2 ? halves[1] : nil)
        }
        switch pair(parts[0]) {
        case ("user", nil): network = .user
        case ("tap", let name): network = .tap(name)
        case ("switch", let name?): network = .segment(name)
        case ("none", nil):
            throw AerieError(
                .usage, asked: "--network \(text)", found: "settings of a card, but 'none' is no card",
                advice: "use --network none by itself, or another network")
        default:
            throw AerieError(
                .usage, asked: "--network \(text)", found: "'\(parts[0])' is not known",
                advice: "use user, tap, tap=NAME, switch=NAME or none")
        }
        for part in parts.dropFirst() {
            switch pair(part) {
            case ("mac", let address?): macAddress = address
            case ("slot", let value?): slot = try Configuration.hotplugSlot(value, "--network \(text)")
            case ("queues", let value?): queues = try Self.queueCount(value, "--network \(text)")
            case ("rate", let value?):
                guard rate.read(value, unit: "pps") else {
                    throw AerieError(
                        .usage, asked: "--network \(text)", found: "'\(value)' is not a valid rate",
                        advice: "use bytes in a second such as rate=10M, or packets such as rate=1000pps")
                }
            default:
                throw AerieError(
                    .usage, asked: "--network \(text)", found: "'\(part)' is not known",
                    advice: "after the network, use mac=ADDRESS, queues=N, rate=R or slot=N")
            }
        }
    }

    private static func queueCount(_ text: String, _ asked: String) throws(AerieError) -> Int {
        if let count = Int(text), (1...NetworkDevice.mostPairs).contains(count) { return count }
        throw AerieError(
            .usage, asked: asked, found: "'\(text)' is not a valid number of queues",
            advice: "queues must be 1 to \(NetworkDevice.mostPairs)")
    }

    func validate() throws(AerieError) {
        if let queues { _ = try Self.queueCount("\(queues)", "a network card with \(queues) queues") }
        try rate.validate("the rate of a network card")
        if let macAddress {
            guard let address = MACAddress(macAddress), !address.isMulticast, address.value != 0 else {
                throw AerieError(
                    .usage, asked: "mac=\(macAddress)", found: "it is not the address of one network card",
                    advice: "use an address such as 52:54:00:12:34:56, with an even first number")
            }
        }
        switch network {
        case .user, .tap(nil): break
        case .tap(let name?): try Self.check(name, of: "tap", limit: 15)
        case .segment(let name): try Self.check(name, of: "switch", limit: 32)
        }
    }

    /// Names are parts of file names, and an interface's has at most 15 bytes (IFNAMSIZ).
    private static func check(_ name: String, of kind: String, limit: Int) throws(AerieError) {
        let isPlain = name.utf8.allSatisfy { byte in
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
        }
        guard isPlain, (1...limit).contains(name.utf8.count), name != ".", name != ".." else {
            throw AerieError(
                .usage, asked: "--network \(kind)=\(name)",
                found: "the name is not 1 to \(limit) letters, digits, dots, hyphens and underscores",
                advice: "choose another name")
        }
    }
}
