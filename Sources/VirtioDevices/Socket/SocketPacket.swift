/// The header of a packet between a guest and the host (VIRTIO 1.2, section 5.10.6), little endian:
///
///     offset  size  field
///          0     8  source CID           28  2  type: 1 stream
///          8     8  destination CID      30  2  operation
///         16     4  source port          32  4  flags of the operation
///         20     4  destination port     36  4  the sender's room for data
///         24     4  length of the data   40  4  how many bytes the sender has passed on, modulo 2^32
package struct SocketPacket: Equatable {
    package static let size = 44
    /// The CID of the host.
    static let hostCID: UInt64 = 2
    static let streamType: UInt16 = 1

    enum Operation {
        static let request: UInt16 = 1
        static let response: UInt16 = 2
        static let reset: UInt16 = 3
        static let shutdown: UInt16 = 4
        static let data: UInt16 = 5
        static let creditUpdate: UInt16 = 6
        static let creditRequest: UInt16 = 7
    }

    /// Flags of a shutdown: the sender of it will not receive, or not send, any more.
    enum Shutdown {
        static let receiving: UInt32 = 1
        static let sending: UInt32 = 2
        static let both = receiving | sending
    }

    var sourceCID: UInt64
    var destinationCID: UInt64
    var sourcePort: UInt32
    var destinationPort: UInt32
    package var length: UInt32 = 0
    var type = streamType
    var operation: UInt16
    var flags: UInt32 = 0
    var room: UInt32 = 0
    var forwarded: UInt32 = 0

    /// A packet of the host's.
    init(to guestCID: UInt64, hostPort: UInt32, guestPort: UInt32, _ operation: UInt16) {
        sourceCID = Self.hostCID
        destinationCID = guestCID
        sourcePort = hostPort
        destinationPort = guestPort
        self.operation = operation
    }

    /// Reads a header; nil when bytes are missing.
    package init?(_ bytes: [UInt8]) {
        guard bytes.count >= Self.size else { return nil }
        func integer<Integer: FixedWidthInteger>(_ offset: Int) -> Integer {
            (0..<MemoryLayout<Integer>.size).reduce(0) { $0 | Integer(bytes[offset + $1]) << Integer(8 * $1) }
        }
        sourceCID = integer(0)
        destinationCID = integer(8)
        sourcePort = integer(16)
        destinationPort = integer(20)
        length = integer(24)
        type = integer(28)
        operation = integer(30)
        flags = integer(32)
        room = integer(36)
        forwarded = integer(40)
    }

    package var bytes: [UInt8] {
        func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }
        return bytes(sourceCID) + bytes(destinationCID) + bytes(sourcePort) + bytes(destinationPort) + bytes(length)
            + bytes(type) + bytes(operation) + bytes(flags) + bytes(room) + bytes(forwarded)
    }
}
