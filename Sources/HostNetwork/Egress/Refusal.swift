/// Packets that tell a guest at once that it may not reach a destination, as frames for the guest.
enum Refusal {
    /// The answer to a frame of the guest's; nil where the standards forbid one.
    static func answer(to frame: UnsafeRawBufferPointer, _ packet: Packet) -> [UInt8]? {
        guard !packet.destination.isGroup else { return nil }
        switch packet.transport {
        case .tcp: return packet.flags & 0x04 == 0 ? reset(frame, packet) : nil
        case .udp: return unreachable(frame, packet)
        // Only a request is answered, never another message of ICMP (RFC 1122, section 3.2.2).
        case .icmp: return packet.messageType == 8 ? unreachable(frame, packet) : nil
        case .icmp6: return packet.messageType == 128 ? unreachable(frame, packet) : nil
        }
    }

    /// A datagram of UDP from where the guest sent one.
    static func datagram(_ payload: [UInt8], answering frame: UnsafeRawBufferPointer, _ packet: Packet) -> [UInt8] {
        var segment = word(packet.destinationPort) + word(packet.sourcePort)
        segment += word(UInt16(8 + payload.count)) + [0, 0] + payload
        return reply(frame, packet, transport: .udp, segment, checksumOffset: 6)
    }

    /// RFC 9293, section 3.5.2: a reset in reply to a segment for a connection that does not exist.
    private static func reset(_ frame: UnsafeRawBufferPointer, _ packet: Packet) -> [UInt8] {
        let tcp = packet.transportOffset
        let isAcknowledging = packet.flags & 0x10 != 0
        let headerSize = Int(frame[tcp + 12] >> 4) * 4
        var length = UInt32(max(0, packet.end - tcp - headerSize))
        for flag in [UInt8(0x01), 0x02] where packet.flags & flag != 0 { length += 1 }
        let sequence = isAcknowledging ? frame.long(tcp + 8)! : 0
        let acknowledged = isAcknowledging ? 0 : frame.long(tcp + 4)! &+ length
        var segment = word(packet.destinationPort) + word(packet.sourcePort)
        segment += long(sequence) + long(acknowledged) + [0x50, isAcknowledging ? 0x04 : 0x14, 0, 0, 0, 0, 0, 0]
        return reply(frame, packet, transport: .tcp, segment, checksumOffset: 16)
    }

    /// "Communication administratively prohibited" (RFC 1812, section 5.2.7.1; RFC 4443, section 3.1), with the start of the packet.
    private static func unreachable(_ frame: UnsafeRawBufferPointer, _ packet: Packet) -> [UInt8] {
        let isIPv6 = packet.source.isIPv6
        let quoted = frame[Packet.ipOffset..<packet.end].prefix(
            isIPv6 ? 1000 : packet.transportOffset - Packet.ipOffset + 8)
        let message: [UInt8] = (isIPv6 ? [1, 1] : [3, 13]) + [0, 0, 0, 0, 0, 0] + quoted
        return reply(frame, packet, transport: isIPv6 ? .icmp6 : .icmp, message, checksumOffset: 2)
    }

    // MARK: Frames

    /// A frame to the guest with a transport's segment, whose checksum is put at `checksumOffset`.
    private static func reply(
        _ frame: UnsafeRawBufferPointer, _ packet: Packet, transport: Packet.Transport, _ segment: [UInt8],
        checksumOffset: Int
    ) -> [UInt8] {
        let (from, to) = (packet.destination.bytes, packet.source.bytes)
        var segment = segment
        // ICMP has no pseudo header.
        let pseudoHeader =
            transport == .icmp ? [] : from + to + long(UInt32(segment.count)) + [0, 0, 0, transport.rawValue]
        let sum = ~(pseudoHeader + segment).withUnsafeBytes(InternetChecksum.sum)
        let checksum = transport == .udp && sum == 0 ? 0xFFFF : sum
        segment.replaceSubrange(checksumOffset..<checksumOffset + 2, with: word(checksum))

        let ethernet = Array(frame[6..<12]) + Array(frame[..<6]) + Array(frame[12..<14])
        if packet.source.isIPv6 {
            return ethernet + [0x60, 0, 0, 0] + word(UInt16(segment.count)) + [transport.rawValue, 64] + from + to
                + segment
        }
        var header: [UInt8] =
            [0x45, 0] + word(UInt16(20 + segment.count)) + [0, 0, 0x40, 0, 64, transport.rawValue, 0, 0]
        header += from + to
        header.replaceSubrange(10..<12, with: word(~header.withUnsafeBytes(InternetChecksum.sum)))
        return ethernet + header + segment
    }

    private static func word(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(truncatingIfNeeded: value)] }
    private static func long(_ value: UInt32) -> [UInt8] {
        word(UInt16(value >> 16)) + word(UInt16(truncatingIfNeeded: value))
    }
}
