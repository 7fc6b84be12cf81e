/// The headers of an IP packet in an Ethernet frame, as far as a policy needs them (RFC 791, RFC 8200, RFC 9293, RFC 768).
struct Packet {
    enum Transport: UInt8 {
        case icmp = 1
        case tcp = 6
        case udp = 17
        case icmp6 = 58
    }

    let source: IPAddress
    let destination: IPAddress
    let transport: Transport
    /// Of the transport's header in the frame.
    let transportOffset: Int
    /// Where the packet ends; padding may follow.
    let end: Int
    /// 0 where there are none.
    let sourcePort: UInt16
    let destinationPort: UInt16

    /// Of ICMP and ICMPv6.
    let messageType: UInt8
    /// Of TCP.
    let flags: UInt8

    static let ipOffset = Ethernet.headerSize

    /// Whether the packet asks for a new connection.
    var isConnectionRequest: Bool { transport == .tcp && flags & 0x12 == 0x02 }

    /// Reads the headers of the packet in a frame of type IPv4 or IPv6. Nil for a packet whose transport a policy cannot see: a fragment,
    /// extension headers, another protocol, or one whose headers are cut off.
    init?(_ frame: UnsafeRawBufferPointer) {
        guard let type = frame.word(12) else { return nil }
        switch type {
        case 0x0800: self.init(version4: frame)
        case 0x86DD: self.init(version6: frame)
        default: return nil
        }
    }

    private init?(version4 frame: UnsafeRawBufferPointer) {
        let ip = Self.ipOffset
        guard frame.count >= ip + 20, frame[ip] >> 4 == 4, let total = frame.word(ip + 2),
            let fragment = frame.word(ip + 6)
        else { return nil }
        let headerSize = Int(frame[ip] & 0xF) * 4
        // Options could route the packet elsewhere; with fragments, more follow, or this is not the first.
        guard headerSize == 20, Int(total) >= headerSize, ip + Int(total) <= frame.count, fragment & 0x3FFF == 0 else {
            return nil
        }
        self.init(
            frame, source: frame.address(ip + 12, 4), destination: frame.address(ip + 16, 4), transport: frame[ip + 9],
            offset: ip + headerSize, end: ip + Int(total))
    }

    private init?(version6 frame: UnsafeRawBufferPointer) {
        let ip = Self.ipOffset
        guard frame.count >= ip + 40, frame[ip] >> 4 == 6, let length = frame.word(ip + 4),
            ip + 40 + Int(length) <= frame.count
        else { return nil }
        var (next, offset) = (frame[ip + 6], ip + 40)
        // Multicast listener reports have a hop-by-hop header with a router alert (RFC 3810, section 5).
        if next == 0, Int(length) >= 8, frame[offset] == Transport.icmp6.rawValue, frame[offset + 1] == 0 {
            (next, offset) = (frame[offset], offset + 8)
        }
        self.init(
            frame, source: frame.address(ip + 8, 16), destination: frame.address(ip + 24, 16), transport: next,
            offset: offset, end: ip + 40 + Int(length))
    }

    private init?(
        _ frame: UnsafeRawBufferPointer, source: IPAddress, destination: IPAddress, transport: UInt8, offset: Int,
        end: Int
    ) {
        guard let transport = Transport(rawValue: transport) else { return nil }
        let needed =
            switch transport {
            case .tcp: 20
            case .udp, .icmp, .icmp6: 8
            }
        guard end - offset >= needed else { return nil }
        self.source = source
        self.destination = destination
        self.transport = transport
        transportOffset = offset
        self.end = end
        let hasPorts = transport == .tcp || transport == .udp
        sourcePort = hasPorts ? frame.word(offset)! : 0
        destinationPort = hasPorts ? frame.word(offset + 2)! : 0
        messageType = hasPorts ? 0 : frame[offset]
        flags = transport == .tcp ? frame[offset + 13] : 0
    }
}

extension UnsafeRawBufferPointer {
    /// The big-endian word at `offset`; nil beyond the end.
    func word(_ offset: Int) -> UInt16? {
        guard offset + 2 <= count else { return nil }
        return UInt16(self[offset]) << 8 | UInt16(self[offset + 1])
    }

    /// The big-endian number of 32 bits at `offset`; nil beyond the end.
    func long(_ offset: Int) -> UInt32? {
        guard let high = word(offset), let low = word(offset + 2) else { return nil }
        return UInt32(high) << 16 | UInt32(low)
    }

    fileprivate func address(_ offset: Int, _ size: Int) -> IPAddress { IPAddress(self[offset..<offset + size]) }
}
