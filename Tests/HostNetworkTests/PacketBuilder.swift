import HostNetwork

/// Frames of a guest or for it, written by hand.
struct PacketBuilder {
    var source = "10.0.2.15"
    var destination = "192.0.2.7"
    var sourcePort: UInt16 = 40000
    var destinationPort: UInt16 = 443

    static func word(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

    private func ethernet(_ type: UInt16) -> [UInt8] { [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2] + Self.word(type) }

    /// The checksum of the transport is left 0: nothing under test reads it.
    func ip(_ transport: UInt8, _ payload: [UInt8], fragment: UInt16 = 0, hopLimit: UInt8 = 64) -> [UInt8] {
        let (from, to) = (IPAddress(source)!, IPAddress(destination)!)
        if from.isIPv6 {
            return ethernet(0x86DD) + [0x60, 0, 0, 0] + Self.word(UInt16(payload.count)) + [transport, hopLimit]
                + from.bytes
                + to.bytes + payload
        }
        return ethernet(0x0800) + [0x45, 0] + Self.word(UInt16(20 + payload.count)) + [0, 7] + Self.word(fragment)
            + [64, transport, 0, 0] + from.bytes + to.bytes + payload
    }

    func tcp(flags: UInt8 = 0x02, sequence: [UInt8] = [0, 0, 0, 9], _ payload: [UInt8] = []) -> [UInt8] {
        let header = Self.word(sourcePort) + Self.word(destinationPort) + sequence + [0, 0, 1, 0]
        return ip(6, header + [0x50, flags, 0xFF, 0xFF, 0, 0, 0, 0] + payload)
    }

    func udp(_ payload: [UInt8] = [1, 2, 3]) -> [UInt8] {
        ip(
            17,
            Self.word(sourcePort) + Self.word(destinationPort) + Self.word(UInt16(8 + payload.count)) + [0, 0] + payload
        )
    }

    /// A message of DNS with one question for addresses.
    static func dns(_ name: String, identifier: UInt16 = 77, answers: [(String, UInt32)]? = nil) -> [UInt8] {
        var question: [UInt8] = []
        for label in name.split(separator: ".") { question += [UInt8(label.utf8.count)] + Array(label.utf8) }
        question += [0, 0, 1, 0, 1]
        var message = word(identifier)
        message += answers == nil ? [0x01, 0x00, 0, 1] : [0x81, 0x80, 0, 1]
        message += word(UInt16(answers?.count ?? 0)) + [0, 0, 0, 0] + question
        for (text, lifetime) in answers ?? [] {
            let address = IPAddress(text)!
            message +=
                [0xC0, 0x0C, 0, address.isIPv6 ? 28 : 1, 0, 1] + word(UInt16(lifetime >> 16))
                + word(UInt16(lifetime & 0xFFFF))
            message += word(UInt16(address.bytes.count)) + address.bytes
        }
        return message
    }

    /// A message of DHCP with identifier 9 and these options.
    static func leaseMessage(_ operation: UInt8, _ options: [UInt8], identifier: UInt8 = 9) -> [UInt8] {
        [operation, 1, 6, 0, 0, 0, 0, identifier] + [UInt8](repeating: 0, count: 228) + [99, 130, 83, 99] + options + [
            255
        ]
    }

    static var leaseRequest: [UInt8] {
        PacketBuilder(source: "0.0.0.0", destination: "255.255.255.255", sourcePort: 68, destinationPort: 67).udp(
            leaseMessage(1, [53, 1, 1]))
    }

    /// The answer of the server, with router 10.0.2.2 and a resolver.
    static func lease(resolver: UInt8 = 3, operation: UInt8 = 2, identifier: UInt8 = 9) -> [UInt8] {
        let options: [UInt8] = [53, 1, 5, 0, 3, 4, 10, 0, 2, 2, 6, 4, 10, 0, 2, resolver]
        return PacketBuilder(source: "10.0.2.2", destination: "10.0.2.15", sourcePort: 67, destinationPort: 68).udp(
            leaseMessage(operation, options, identifier: identifier))
    }
}
