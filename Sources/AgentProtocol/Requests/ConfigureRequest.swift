/// CONFIGURE: sets the guest's identity. What is nil or false stays as it is.
package struct ConfigureRequest: Equatable {
    /// 1 to 64 letters, digits, `-` and `.`.
    package var hostname: [UInt8]?
    /// 32 lowercase hexadecimal digits, as in /etc/machine-id.
    package var machineID: [UInt8]?
    /// Up to 512 bytes for the kernel's random number generator, which is reseeded at once.
    package var entropy: [UInt8]?
    /// The wall clock's time since 1970.
    package var time: GuestTime?
    /// Whether the guest asks for new addresses on its networks.
    package var renewsNetwork = false
    /// Whether the root file system grows to the size of its disk.
    package var growsRoot = false
    /// The MAC addresses of the virtio network cards, of 6 bytes each, in the order of the cards: unicast, not zero.
    package var cardAddresses: [[UInt8]] = []
    /// Whether the answer has the number of the guest's own programs for a new identity (`AgentLimits.hookDirectory`).
    package var countsHooks = false
    /// The guest's addresses and the names of other machines, as lines (docs/agent-protocol.md); at most `AgentLimits.network` bytes.
    package var network: [UInt8]?

    package init() {}

    private enum Tag {
        static let hostname: UInt16 = 1
        static let machineID: UInt16 = 2
        static let entropy: UInt16 = 3
        static let time: UInt16 = 4
        static let renewNetwork: UInt16 = 5
        static let growRoot: UInt16 = 6
        static let cardAddresses: UInt16 = 7
        static let countHooks: UInt16 = 8
        static let network: UInt16 = 9
    }

    init(payload: [UInt8]) throws(ProtocolFault) {
        var renews: Bool?
        var grows: Bool?
        var cards: [[UInt8]]?
        var counts: Bool?
        var reader = RecordReader(payload)
        while let field = try reader.next() {
            switch field.tag {
            case Tag.hostname:
                guard Self.isHostname(field.bytes) else { throw field.fault }
                try field.once(&hostname, field.bytes)
            case Tag.machineID:
                guard field.bytes.count == 32, field.bytes.allSatisfy({ Self.isLowercaseHex($0) }) else {
                    throw field.fault
                }
                try field.once(&machineID, field.bytes)
            case Tag.entropy:
                guard 1...AgentLimits.entropy ~= field.bytes.count else { throw field.fault }
                try field.once(&entropy, field.bytes)
            case Tag.time:
                guard let value = GuestTime(field.bytes) else { throw field.fault }
                try field.once(&time, value)
            case Tag.renewNetwork: try field.once(&renews, field.empty())
            case Tag.growRoot: try field.once(&grows, field.empty())
            case Tag.cardAddresses:
                guard let addresses = Self.cardAddresses(field.bytes) else { throw field.fault }
                try field.once(&cards, addresses)
            case Tag.countHooks: try field.once(&counts, field.empty())
            case Tag.network: try field.once(&network, field.text(limit: AgentLimits.network, canBeEmpty: true))
            default: throw ProtocolFault.unknownField(field.tag)
            }
        }
        renewsNetwork = renews ?? false
        growsRoot = grows ?? false
        cardAddresses = cards ?? []
        countsHooks = counts ?? false
    }

    private static func cardAddresses(_ bytes: [UInt8]) -> [[UInt8]]? {
        guard !bytes.isEmpty, bytes.count % 6 == 0, bytes.count / 6 <= AgentLimits.cards else { return nil }
        var addresses: [[UInt8]] = []
        for start in stride(from: 0, to: bytes.count, by: 6) {
            let address = Array(bytes[start..<start + 6])
            guard address[0] & 1 == 0, address != [0, 0, 0, 0, 0, 0] else { return nil }
            addresses.append(address)
        }
        return addresses
    }

    var payload: [UInt8] {
        var record = RecordWriter()
        record.add(Tag.hostname, ifThere: hostname)
        record.add(Tag.machineID, ifThere: machineID)
        record.add(Tag.entropy, ifThere: entropy)
        record.add(Tag.time, ifThere: time?.bytes)
        if renewsNetwork { record.add(Tag.renewNetwork, []) }
        if growsRoot { record.add(Tag.growRoot, []) }
        if !cardAddresses.isEmpty { record.add(Tag.cardAddresses, cardAddresses.reduce([], +)) }
        if countsHooks { record.add(Tag.countHooks, []) }
        record.add(Tag.network, ifThere: network)
        return record.bytes
    }

    /// Whether the bytes are a host name by RFC 1123, up to Linux's length.
    package static func isHostname(_ bytes: [UInt8]) -> Bool {
        guard 1...AgentLimits.hostname ~= bytes.count, let first = bytes.first, let last = bytes.last else {
            return false
        }
        let isInside = bytes.allSatisfy { isLetterOrDigit($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".") }
        return isInside && isLetterOrDigit(first) && isLetterOrDigit(last)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        default: UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
        }
    }

    private static func isLowercaseHex(_ byte: UInt8) -> Bool {
        UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte
    }
}
