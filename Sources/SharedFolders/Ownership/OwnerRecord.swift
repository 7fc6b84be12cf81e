internal import CFileSystem
internal import Glibc

/// An owner, a group and a mode that a guest has set and that the host does not have: the extended attribute `user.aerie.owner` of a
/// file or a directory, as text `UID:GID:MODE` with an octal mode.
///
/// The sticky bit of a file on the host, which has no meaning there, says that it may have a record, so that other files cost
/// no further system call.
struct OwnerRecord: Equatable, Sendable {
    static let attribute: [CChar] = "user.aerie.owner".utf8CString.map { $0 }
    private static let longest = 64

    var user: UInt32
    var group: UInt32
    /// The permissions, and the bits for set-user-ID, set-group-ID and sticky.
    var mode: UInt32

    init(user: UInt32, group: UInt32, mode: UInt32) {
        self.user = user
        self.group = group
        self.mode = mode
    }

    init?(text: some Collection<UInt8>) {
        let fields = String(decoding: text, as: UTF8.self).split(separator: ":", omittingEmptySubsequences: false)
        guard fields.count == 3, let user = UInt32(fields[0]), let group = UInt32(fields[1]),
            let mode = UInt32(fields[2], radix: 8), mode <= 0o7777
        else { return nil }
        self.init(user: user, group: group, mode: mode)
    }

    var text: String { "\(user):\(group):\(String(mode, radix: 8))" }

    /// Whether a file may have a record.
    static func isMarked(_ status: FileStatus) -> Bool {
        status.raw.mode & UInt32(S_ISVTX) != 0 && (status.isRegular || status.isDirectory)
    }

    /// The record of a marked file; nil when it has none, or one that nobody understands.
    static func read(_ file: OpenFile) -> OwnerRecord? {
        var buffer = [UInt8](repeating: 0, count: longest)
        let count = buffer.withUnsafeMutableBytes { bytes in
            aerie_fs_get_attribute(file.number, attribute, bytes.baseAddress, bytes.count)
        }
        return count > 0 ? OwnerRecord(text: buffer[..<Int(count)]) : nil
    }

    func write(_ file: OpenFile) throws(FileError) {
        let bytes = Array(text.utf8)
        _ = try SharedFolders.host { aerie_fs_set_attribute(file.number, Self.attribute, bytes, bytes.count, 0) }
    }

    static func remove(_ file: OpenFile) throws(FileError) {
        _ = try SharedFolders.host { aerie_fs_remove_attribute(file.number, attribute) }
    }
}
