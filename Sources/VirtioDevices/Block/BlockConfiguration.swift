internal import DiskImages

/// What the guest is told about a disk (VIRTIO 1.2, section 5.2.4).
///
///     offset  size  field                           offset  size  field
///          0     8  capacity in sectors                 34     2  number of queues
///          8     4  largest segment in bytes            36     4  most sectors of a discard
///         12     4  most segments of a request          40     4  most segments of a discard
///         16     4  geometry (not offered)              44     4  alignment of discards in sectors
///         20     4  block size in bytes                 48     4  most sectors of a write-zeroes
///         24     1  physical block, log2 of blocks      52     4  most segments of a write-zeroes
///         25     1  offset of the first aligned block   56     1  write-zeroes may unmap
///         26     2  least I/O in blocks                 57     3  unused
///         28     4  best I/O in blocks
///         32     1  write-back cache (writable)
///         33     1  unused
enum BlockConfiguration {
    static let sizeMax: UInt64 = 1 << 1
    static let segMax: UInt64 = 1 << 2
    static let readOnly: UInt64 = 1 << 5
    static let blockSize: UInt64 = 1 << 6
    static let flush: UInt64 = 1 << 9
    static let topology: UInt64 = 1 << 10
    static let configurableCache: UInt64 = 1 << 11
    static let multipleQueues: UInt64 = 1 << 12
    static let discard: UInt64 = 1 << 13
    static let writeZeroes: UInt64 = 1 << 14

    static let queueSize: UInt16 = 256
    /// Offset of the write-back byte, the only one that a driver may write.
    static let writeBackOffset = 32

    static let largestSegment: UInt32 = 1 << 20
    // A full ring of 256 descriptors holds one request of the most segments, its header and its status.
    static let mostSegments = UInt32(queueSize) - 2
    /// 2 GiB; what the host does for it is cut into smaller steps.
    static let mostDiscardSectors: UInt32 = 1 << 22
    static let mostDiscardSegments: UInt32 = 64

    static func features(of image: any DiskImage, queueCount: Int) -> UInt64 {
        var features = sizeMax | segMax | blockSize | topology | flush | configurableCache
        features |= image.isReadOnly ? readOnly : discard | writeZeroes
        if queueCount > 1 { features |= multipleQueues }
        return features
    }

    static func bytes(of image: any DiskImage, queueCount: Int, writeBack: Bool) -> [UInt8] {
        var bytes: [UInt8] = []
        func append(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
        }
        append(image.size / sectorSize)
        append(largestSegment)
        append(mostSegments)
        append(UInt32(0))
        append(UInt32(sectorSize))
        // Physical blocks of 4096 bytes, as host file systems have them: 2³ blocks of 512.
        append(UInt8(3))
        append(UInt8(0))
        append(UInt16(8))
        append(UInt32(0))
        append(UInt8(writeBack ? 1 : 0))
        append(UInt8(0))
        append(UInt16(queueCount))
        append(image.isReadOnly ? 0 : mostDiscardSectors)
        append(image.isReadOnly ? 0 : mostDiscardSegments)
        append(image.isReadOnly ? UInt32(0) : 8)
        append(image.isReadOnly ? 0 : mostDiscardSectors)
        append(image.isReadOnly ? 0 : mostDiscardSegments)
        append(UInt8(1))
        bytes.append(contentsOf: [0, 0, 0])
        return bytes
    }
}
