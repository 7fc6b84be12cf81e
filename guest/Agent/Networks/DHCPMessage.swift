/// A message of the Dynamic Host Configuration Protocol (RFC 2131, section 2; options: RFC 2132).
struct DHCPMessage {
    /// Option 53.
    enum Kind: UInt8 {
        case discover = 1
        case offer = 2
        case request = 3
        case acknowledge = 5
        case refuse = 6
    }

    private static let headerSize = 236
    private static let cookie: [UInt8] = [99, 130, 83, 99]

    private(set) var kind: Kind
    private(set) var transaction: UInt32
    /// The address that the server gives.
    private(set) var address: [UInt8] = []
    /// Option 54: the server's address.
    private(set) var server: [UInt8] = []
    /// Option 1.
    private(set) var mask: [UInt8] = [255, 255, 255, 0]
    /// Option 3: the first router's address; empty without one.
    private(set) var router: [UInt8] = []
    /// Option 6: addresses of name servers, in a row.
    private(set) var nameServers: [UInt8] = []
    /// Option 15.
    private(set) var domain: [UInt8] = []
    /// Option 51, in seconds; `UInt32.max` for a lease without an end.
    private(set) var seconds: UInt32 = 0

    /// A request of the card with a hardware address.
    ///
    /// - Parameter offer: what the client takes; nil for a search.
    static func request(_ hardware: [UInt8], transaction: UInt32, taking offer: DHCPMessage?) -> [UInt8] {
        // BOOTREQUEST, Ethernet, 6 bytes of address, no hops.
        var bytes: [UInt8] = [1, 1, 6, 0]
        bytes.append(bigEndian: transaction)
        // Seconds, flags, four addresses.
        bytes.append(contentsOf: [UInt8](repeating: 0, count: 20))
        bytes.append(contentsOf: hardware.prefix(6))
        bytes.append(contentsOf: [UInt8](repeating: 0, count: headerSize - bytes.count))
        bytes.append(contentsOf: cookie)
        bytes.append(contentsOf: [53, 1, (offer == nil ? Kind.discover : Kind.request).rawValue])
        bytes.append(contentsOf: [61, 7, 1])
        bytes.append(contentsOf: hardware.prefix(6))
        if let offer {
            bytes.append(contentsOf: [50, 4])
            bytes.append(contentsOf: offer.address)
            bytes.append(contentsOf: [54, 4])
            bytes.append(contentsOf: offer.server)
        }
        // Mask, router, name servers, domain, time of the lease, server.
        bytes.append(contentsOf: [55, 6, 1, 3, 6, 15, 51, 54, 255])
        // A message has at least 300 bytes (RFC 1542, section 2.1).
        if bytes.count < 300 { bytes.append(contentsOf: [UInt8](repeating: 0, count: 300 - bytes.count)) }
        return bytes
    }

    /// Reads a server's answer to a card; nil for anything else. Every length is checked: the sender may be anybody.
    init?(_ bytes: [UInt8], for hardware: [UInt8]) {
        guard bytes.count > Self.headerSize + 4, bytes[0] == 2, Array(bytes[28..<34]) == hardware,
            Array(bytes[Self.headerSize..<Self.headerSize + 4]) == Self.cookie
        else { return nil }
        transaction = bytes.bigEndian(at: 4)
        address = Array(bytes[16..<20])
        kind = .discover
        var position = Self.headerSize + 4
        var found: Kind?
        while position < bytes.count, bytes[position] != 255 {
            if bytes[position] == 0 {
                position += 1
                continue
            }
            guard position + 1 < bytes.count, position + 2 + Int(bytes[position + 1]) <= bytes.count else { return nil }
            let value = Array(bytes[(position + 2)..<(position + 2 + Int(bytes[position + 1]))])
            if bytes[position] == 53, let code = value.first { found = Kind(rawValue: code) }
            take(bytes[position], value)
            position += 2 + value.count
        }
        guard let found, found == .offer || found == .acknowledge || found == .refuse else { return nil }
        kind = found
        if kind != .refuse {
            guard server.count == 4, !(address == [0, 0, 0, 0]) else { return nil }
        }
    }

    private mutating func take(_ option: UInt8, _ value: [UInt8]) {
        switch option {
        case 1 where value.count == 4: mask = value
        case 3 where value.count >= 4: router = Array(value[..<4])
        case 6 where value.count % 4 == 0: nameServers = value
        // Some servers end the name with a zero.
        case 15: domain = Array(value[..<(value.firstIndex(of: 0) ?? value.count)])
        case 51 where value.count == 4: seconds = value.bigEndian(at: 0)
        case 54 where value.count == 4: server = value
        default: break
        }
    }
}

extension [UInt8] {
    mutating func append(bigEndian value: UInt32) {
        for shift: UInt32 in [24, 16, 8, 0] { append(UInt8(truncatingIfNeeded: value >> shift)) }
    }

    mutating func append(bigEndian value: UInt16) {
        append(UInt8(truncatingIfNeeded: value >> 8))
        append(UInt8(truncatingIfNeeded: value))
    }

    /// Four bytes, which are there.
    func bigEndian(at offset: Int) -> UInt32 {
        var value: UInt32 = 0
        for index in 0..<4 { value = value << 8 | UInt32(self[offset + index]) }
        return value
    }
}
