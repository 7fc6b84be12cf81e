/// Why a stream is not a tar archive that can be read.
package enum TarFault: Error, Equatable {
    case checksum
    case number
    case path
    case extendedHeader
    case extendedHeaderSize
    case sparseMap
    case sparseSegments
    case sparseVersion
    case type(UInt8)
    case truncated

    package var text: StaticString {
        switch self {
        case .checksum: "a header's checksum is wrong: this is not a tar archive"
        case .number: "a header has an invalid number"
        case .path: "a header has an empty path or one with a zero byte"
        case .extendedHeader: "an extended header is malformed"
        case .extendedHeaderSize: "an extended header is larger than 64 KB"
        case .sparseMap: "the map of a sparse file is malformed"
        case .sparseSegments: "a sparse file has more than 65,536 segments"
        case .sparseVersion: "a sparse file has an old format; write the archive with 'tar --format=pax'"
        case .type: "a member has an unknown type"
        case .truncated: "the archive ends within a member"
        }
    }
}
