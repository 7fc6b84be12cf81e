internal import HostNetwork

/// Chooses the pair of queues for received frames: the pair by which the guest sent last in the same flow, so that the vCPU that sends also
/// receives (VIRTIO 1.2, section 5.1.6.5.6, automatic receive steering).
///
/// Flows that share an entry of the table share a pair; frames of other protocols than IP are one flow.
struct FlowSteering {
    private static let entryCount = 256
    /// Nil is a flow of which the guest has sent nothing.
    private var pairs = [UInt8?](repeating: nil, count: entryCount)

    /// Notes that a frame was sent by a pair.
    mutating func learn(_ frame: UnsafeRawBufferPointer, pair: Int) {
        pairs[Self.hash(frame)] = UInt8(truncatingIfNeeded: pair)
    }

    /// The pair for a received frame, of `count` ones.
    func pair(for frame: UnsafeRawBufferPointer, of count: Int) -> Int {
        let hash = Self.hash(frame)
        if let pair = pairs[hash], Int(pair) < count { return Int(pair) }
        return hash % count
    }

    mutating func forget() { pairs = Array(repeating: nil, count: Self.entryCount) }

    // MARK: Flows

    //  Ethernet      IPv4                    IPv6                    TCP, UDP
    //  12 u16 type   9 u8 protocol           6 u8 next header        0 u16 source port
    //                6 u16 fragment           8 source, destination  2 u16 destination port
    //                12 source, destination

    /// A number for the flow of a frame, the same in both directions: 0 to `entryCount` - 1.
    static func hash(_ frame: UnsafeRawBufferPointer) -> Int {
        guard frame.count >= Ethernet.headerSize + 20 else { return 0 }
        func half(_ offset: Int) -> UInt16 {
            UInt16(bigEndian: frame.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        }
        func word(_ offset: Int) -> UInt32 { frame.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
        var start = Ethernet.headerSize
        if half(12) == 0x8100 { start += 4 }
        var mixed: UInt32
        var (transport, ports): (UInt8, Int)
        switch half(start - 2) {
        case 0x0800:
            guard frame.count >= start + 20 else { return 0 }
            mixed = word(start + 12) ^ word(start + 16)
            // A fragment has no ports, and its first one would be of another flow than the others.
            let isFragment = half(start + 6) & 0x3FFF != 0
            (transport, ports) = (isFragment ? 0 : frame[start + 9], start + 4 * Int(frame[start] & 0x0F))
        case 0x86DD:
            guard frame.count >= start + 40 else { return 0 }
            mixed = (0..<8).reduce(0) { $0 ^ word(start + 8 + 4 * $1) }
            (transport, ports) = (frame[start + 6], start + 40)
        default: return 0
        }
        if transport == 6 || transport == 17, frame.count >= ports + 4 {
            mixed ^= UInt32(half(ports) ^ half(ports + 2)) &* 0x9E37
        }
        return Int((mixed &* 0x9E37_79B1) >> 24)
    }
}
