import Support

/// UDP of DHCP on a card without an address: IPv4 packets to everybody (packet(7); RFC 791, RFC 768).
struct PacketSocket: ~Copyable {
    private let socket: Descriptor
    private let index: UInt32

    private init(_ socket: consuming Descriptor, index: UInt32) {
        self.socket = socket
        self.index = index
    }

    /// - Parameter index: the card's number.
    static func open(index: UInt32) throws(Errno) -> PacketSocket {
        // AF_PACKET, SOCK_DGRAM. It gets no packets, neither this card's nor others', before it has an address with a protocol: a socket that
        // gets some would have to wait for a grace period of the kernel in bind(2).
        let socket = try Descriptor(system(SystemCall.socket, 17, 2 | OpenFlags.closeOnExec, 0))
        let number = Int(socket.number)
        let address = address(index)
        try checked(
            address.withUnsafeBytes {
                system(SystemCall.bind, number, Int(bitPattern: $0.baseAddress), $0.count)
            })
        return PacketSocket(socket, index: index)
    }

    /// sockaddr_ll: u16 family, u16 protocol (IPv4, as the network has it), i32 index, u16 type of hardware, u8 type of packet, u8 length, 8 bytes of address.
    private static func address(_ index: UInt32) -> [UInt8] {
        var bytes: [UInt8] = [17, 0, 0x08, 0x00]
        for shift: UInt32 in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: index >> shift)) }
        bytes.append(contentsOf: [1, 0, 0, 6, 255, 255, 255, 255, 255, 255, 0, 0])
        return bytes
    }

    /// Sends from port 68 of no address to port 67 of all.
    func broadcast(_ payload: [UInt8]) {
        var packet: [UInt8] = [0x45, 0]
        packet.append(bigEndian: UInt16(28 + payload.count))
        // No fragments; 64 hops, UDP, the sum, from 0.0.0.0 to 255.255.255.255.
        packet.append(contentsOf: [0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255])
        let sum = Self.sum(packet)
        packet[10] = UInt8(sum >> 8)
        packet[11] = UInt8(sum & 0xFF)
        // UDP without a sum.
        packet.append(bigEndian: UInt16(68))
        packet.append(bigEndian: UInt16(67))
        packet.append(bigEndian: UInt16(8 + payload.count))
        packet.append(bigEndian: UInt16(0))
        packet.add(payload)
        let target = Self.address(index)
        let number = Int(socket.number)
        packet.withUnsafeBytes { packet in
            target.withUnsafeBytes { target in
                _ = system(
                    SystemCall.sendto, number, Int(bitPattern: packet.baseAddress), packet.count, 0,
                    Int(bitPattern: target.baseAddress), target.count)
            }
        }
    }

    private static func sum(_ header: [UInt8]) -> UInt32 {
        var sum: UInt32 = 0
        var position = 0
        while position + 1 < header.count {
            sum += UInt32(header[position]) << 8 | UInt32(header[position + 1])
            position += 2
        }
        while sum > 0xFFFF { sum = (sum & 0xFFFF) + sum >> 16 }
        return ~sum & 0xFFFF
    }

    /// What comes to port 68 next, without its headers; nil when nothing has come by then. (Other packets are passed over.)
    ///
    /// - Parameter deadline: in milliseconds of `Clock`.
    func receive(by deadline: UInt64) -> [UInt8]? {
        while true {
            let now = Clock.milliseconds
            guard now < deadline, waitForPacket(milliseconds: deadline - now) else { return nil }
            var count = 0
            let packet = [UInt8](unsafeUninitializedCapacity: 2048) { buffer, used in
                count = socket.read(UnsafeMutableRawPointer(buffer.baseAddress.unsafelyUnwrapped), 2048)
                used = max(count, 0)
            }
            guard packet.count >= 28, packet[0] >> 4 == 4, packet[9] == 17 else { continue }
            let header = Int(packet[0] & 15) * 4
            guard header >= 20, packet.count >= header + 8, packet[header + 2] == 0, packet[header + 3] == 68 else {
                continue
            }
            return Array(packet[(header + 8)...])
        }
    }

    private func waitForPacket(milliseconds: UInt64) -> Bool {
        // struct pollfd: i32 descriptor, i16 events (POLLIN), i16 result.
        var entry: (Int32, Int16, Int16) = (socket.number, 1, 0)
        var time = aerie_timespec(
            seconds: Int64(milliseconds / 1000), nanoseconds: Int64(milliseconds % 1000) * 1_000_000)
        let count = withUnsafeMutablePointer(to: &entry) { entry in
            withUnsafeMutablePointer(to: &time) { time in
                system(SystemCall.ppoll, Int(bitPattern: entry), 1, Int(bitPattern: time), 0, 8)
            }
        }
        return count > 0
    }
}
