/// The offloads of a frame: the header that virtio (VIRTIO 1.2, section 5.1.6) and TUN/TAP put before each frame. All fields are
/// little endian.
///
///     offset  size  field
///          0     1  flags: 1 the checksum is partial, 2 the checksum is known to be right
///          1     1  segmentation: 0 none, 1 TCP over IPv4, 3 UDP, 4 TCP over IPv6, 5 UDP segments; 128 ECN
///          2     2  bytes of all headers
///          4     2  bytes of each segment's payload
///          6     2  where the checksum's range begins
///          8     2  where the checksum is, from there on
///         10     2  number of buffers that hold the frame, in a receive queue with merged buffers
package struct OffloadHeader: Equatable, Sendable {
    package static let needsChecksum: UInt8 = 1
    package static let dataValid: UInt8 = 2
    /// Bytes, with the number of buffers.
    package static let size = 12
    /// Bytes of the legacy interface's header, which has no number of buffers.
    package static let legacySize = 10

    package var flags: UInt8 = 0
    package var segmentation: UInt8 = 0
    package var headerLength: UInt16 = 0
    package var segmentSize: UInt16 = 0
    package var checksumStart: UInt16 = 0
    package var checksumOffset: UInt16 = 0
    package var bufferCount: UInt16 = 0

    package init() {}

    /// Reads the header from its first 10 or more bytes.
    package init(_ bytes: UnsafeRawBufferPointer) {
        precondition(bytes.count >= Self.legacySize)
        func word(_ offset: Int) -> UInt16 {
            UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
        }
        flags = bytes[0]
        segmentation = bytes[1]
        headerLength = word(2)
        segmentSize = word(4)
        checksumStart = word(6)
        checksumOffset = word(8)
    }

    /// Writes as many bytes of the header as `bytes` has room for, which is 10 or 12.
    package func store(into bytes: UnsafeMutableRawBufferPointer) {
        precondition(bytes.count == Self.size || bytes.count == Self.legacySize)
        bytes[0] = flags
        bytes[1] = segmentation
        let words = [headerLength, segmentSize, checksumStart, checksumOffset, bufferCount]
        for (index, word) in words.prefix((bytes.count - 2) / 2).enumerated() {
            bytes.storeBytes(of: word.littleEndian, toByteOffset: 2 + 2 * index, as: UInt16.self)
        }
    }

    package var hasPartialChecksum: Bool { flags & Self.needsChecksum != 0 }
}
