package import HostSystem

/// Why an archive could not be written or read. Places are offsets in the archive.
package enum ArchiveError: Error, Equatable, CustomStringConvertible {
    case notAnArchive
    /// Another version of the format.
    case version(UInt32)
    /// The archive ends within a block.
    case truncated(at: UInt64)
    /// The block that begins here cannot be right; the reason as a phrase.
    case damaged(at: UInt64, String)
    case system(SystemError)

    package var description: String {
        switch self {
        case .notAnArchive: "it is not an exported snapshot"
        case .version(let version):
            "its format has version \(version), and this program reads version \(ArchiveFormat.version)"
        case .truncated(let offset): "it ends early, at byte \(offset)"
        case .damaged(let offset, let reason): "the block at byte \(offset) is damaged: \(reason)"
        case .system(let error): error.description
        }
    }
}
