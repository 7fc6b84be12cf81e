internal import SavedState

// An exported snapshot is one stream of bytes, little endian:
//
//     offset  size  field
//          0     8  magic "AERIESN\n"
//          8     4  format version, 1
//         12     4  0
//         16     …  blocks
//
// A block:
//
//          0     4  kind: 1 member | 2 data | 3 end of the archive
//          4     4  kind 1: the member (ArchiveMember), each at most once, ascending; otherwise 0
//          8     8  kind 1: bytes of the member's contents | 2: where the data begin in them, at or after the end of the data before
//         16     4  kind 2: bytes of the data, 1 to 1 MiB; otherwise 0
//         20     4  kind 2: bytes of the payload; as many as the data have if it is the data themselves, fewer if it is compressed; otherwise 0
//         24     4  CRC-32C of the 24 bytes before and of the payload
//         28     n  the payload: one zstd frame, or the data
//
// Contents that no data cover are zero. Nothing follows the end.

/// The layout of an archive, for its writer and its reader.
enum ArchiveFormat {
    static let magic = Array("AERIESN\n".utf8)
    static let version: UInt32 = 1
    static let fileHeaderSize = 16
    static let blockHeaderSize = 28
    /// The most bytes of data in a block.
    static let dataLimit = 1 << 20

    enum Kind: UInt32 {
        case member = 1
        case data = 2
        case end = 3
    }

    struct BlockHeader {
        var kind: Kind
        var member: UInt32 = 0
        var place: UInt64 = 0
        var dataCount: UInt32 = 0
        var payloadCount: UInt32 = 0

        /// The first 24 bytes.
        var encoded: [UInt8] {
            LittleEndian.bytes(kind.rawValue) + LittleEndian.bytes(member) + LittleEndian.bytes(place)
                + LittleEndian.bytes(dataCount) + LittleEndian.bytes(payloadCount)
        }
    }
}
