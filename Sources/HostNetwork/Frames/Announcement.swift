/// Frames in which a guest tells its neighbors about itself.
enum Announcement {
    private static let allNodes = IPAddress("ff02::1")

    /// Whether no neighbor answers a frame: a gratuitous packet of ARP (RFC 5944, section 4.6), an unsolicited neighbor advertisement
    /// (RFC 4861, section 7.2.6), a probe for a duplicate address (RFC 4862, section 5.4.2) or a report of multicast listeners (RFC 3810).
    static func isIn(_ frame: UnsafeRawBufferPointer) -> Bool {
        if frame.word(12) == 0x0806 {
            return LinkMessage.isARP(frame) && frame.long(28) == frame.long(38)
        }
        guard let packet = Packet(frame), packet.transport == .icmp6 else { return false }
        return switch packet.messageType {
        case 131, 132, 143: true
        case 135: packet.source.value == 0
        case 136: packet.destination == allNodes
        default: false
        }
    }
}
