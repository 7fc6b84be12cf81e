internal import HostSystem
internal import SavedState

/// The state of a backing file when an overlay was made on it: a change of the file would damage what is above it.
///
/// It is stored in a header extension of Aerie's own, which other programs keep and ignore:
///
///     offset  size  field
///          0     8  size of the file in bytes; 0 for an overlay that accepts every state, while it is written into the file
///          8     8  time of its last change, in nanoseconds since 1970; 0 for a device
///         16     4  CRC-32C of its first 64 KiB
///         20     4  unused
struct BackingMark: Equatable, Sendable {
    static let extensionType: UInt32 = 0x4145_5242
    static let length = 24

    private let size: UInt64
    private let modified: Int64
    private let headChecksum: UInt32

    init(path: String, files: DiskFiles? = nil) throws(DiskImageError) {
        let opened = try LockedFile(path: path, readOnly: true, files: files)
        defer { if files == nil { opened.descriptor.unlock() } }
        try self.init(opened.descriptor, path: path)
    }

    init(_ file: borrowing FileDescriptor, path: String) throws(DiskImageError) {
        let saved = SavedFile(path: path)
        do {
            size = try file.size()
            modified = try saved.modificationTime(of: file)
        } catch {
            throw .cannotOpen(path: path, error)
        }
        headChecksum = try saved.headChecksum(of: file)
    }

    /// The extension's data without a mark. No backing file is empty.
    static let none = [UInt8](repeating: 0, count: length)

    /// Reads the extension's data; nil when they have no mark.
    init?(_ data: ArraySlice<UInt8>) {
        let bytes = Array(data)
        guard bytes.count == Self.length, bytes != Self.none else { return nil }
        size = bytes.bigEndian(at: 0)
        modified = bytes.bigEndian(at: 8)
        headChecksum = bytes.bigEndian(at: 16)
    }

    var encoded: [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.length)
        bytes.storeBigEndian(size, at: 0)
        bytes.storeBigEndian(modified, at: 8)
        bytes.storeBigEndian(headChecksum, at: 16)
        return bytes
    }
}
