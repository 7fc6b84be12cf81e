/// Messages that a network needs to work at all, and that do not leave the link.
enum LinkMessage: Equatable {
    /// A request to a DHCP server, with its identifier.
    case leaseRequest(UInt32)
    /// DHCPv6 or neighbor discovery.
    case housekeeping
    /// A message with the ports of these protocols that is not theirs.
    case forbidden

    /// The first bytes of the options (RFC 2131, section 3).
    static let leaseCookie: UInt32 = 0x6382_5363
    /// Bytes: what every server takes (RFC 2131, section 2).
    private static let longestLeaseMessage = 576
    private static let allServers = IPAddress("ff02::1:2")

    /// Nil for other packets.
    init?(_ packet: Packet, _ frame: UnsafeRawBufferPointer, hostAddress: IPAddress?) {
        switch (packet.transport, packet.sourcePort, packet.destinationPort) {
        case (.udp, 68, 67):
            let isToServer = packet.destination.value == 0xFFFF_FFFF || packet.destination == hostAddress
            let message = packet.transportOffset + 8
            guard isToServer, packet.end - Packet.ipOffset <= Self.longestLeaseMessage,
                frame.long(message + 236) == Self.leaseCookie, let identifier = frame.long(message + 4)
            else {
                self = .forbidden
                return
            }
            self = .leaseRequest(identifier)
        case (.udp, 546, 547): self = packet.destination == Self.allServers ? .housekeeping : .forbidden
        // A server of DHCP in the guest could pass itself off as the network's.
        case (.udp, 67, _), (.udp, 547, _), (.udp, _, 67), (.udp, _, 68), (.udp, _, 547): self = .forbidden
        case (.icmp6, _, _) where [131, 132, 133, 134, 135, 136, 137, 143].contains(packet.messageType):
            self = Self.isNeighborMessage(packet, frame) ? .housekeeping : .forbidden
        default: return nil
        }
    }

    /// Solicitations and advertisements have hop limit 255, so that no router can have passed them on (RFC 4861, section 6.1);
    /// multicast listener reports have 1 (RFC 3810, section 5).
    private static func isNeighborMessage(_ packet: Packet, _ frame: UnsafeRawBufferPointer) -> Bool {
        let isOnLink = packet.destination.value >> 118 == 0xFE80 >> 6 || packet.destination.value >> 112 == 0xFF02
        let hopLimit = frame[Packet.ipOffset + 7]
        let count = packet.end - packet.transportOffset
        switch packet.messageType {
        case 133: return isOnLink && hopLimit == 255 && count <= 16
        // A neighbor is also asked at its global address.
        case 135, 136: return hopLimit == 255 && (count == 24 || count == 32)
        case 131, 132, 143: return isOnLink && hopLimit == 1 && count <= 256
        default: return false
        }
    }

    /// A packet of ARP for IPv4 on Ethernet (RFC 826) with nothing but zeroes behind it.
    static func isARP(_ frame: UnsafeRawBufferPointer) -> Bool {
        let end = Ethernet.headerSize + 28
        return (end...64).contains(frame.count) && frame.long(14) == 0x0001_0800 && frame.word(18) == 0x0604
            && frame[end...].allSatisfy { $0 == 0 }
    }
}
