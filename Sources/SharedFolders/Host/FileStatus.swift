internal import CFileSystem
internal import Glibc

/// What tells a file from all others, also from later files that get its number.
struct FileIdentity: Hashable, Sendable {
    let device: UInt64
    let inode: UInt64
    /// When the file was made, in nanoseconds since 1970; 0 where the file system does not know.
    let created: Int64
    /// The file's type, as in its mode.
    let type: UInt32
}

/// A file's attributes, as the host has them.
struct FileStatus: Sendable {
    let raw: aerie_file_status

    /// Describes an open file.
    init(_ descriptor: borrowing OpenFile) throws(FileError) {
        self = try Self.read(descriptor.number, [0])
    }

    /// Describes an entry of a directory, itself if it is a symbolic link.
    init(_ name: FileName, in directory: OpenFile) throws(FileError) {
        self = try Self.read(directory.number, name.text)
    }

    private init(raw: aerie_file_status) { self.raw = raw }

    private static func read(_ descriptor: Int32, _ name: [CChar]) throws(FileError) -> FileStatus {
        var raw = aerie_file_status()
        _ = try host { aerie_fs_status(descriptor, name, &raw) }
        return FileStatus(raw: raw)
    }

    var identity: FileIdentity {
        FileIdentity(
            device: raw.device, inode: raw.inode,
            created: raw.created &* 1_000_000_000 &+ Int64(raw.createdFraction), type: type)
    }

    var type: UInt32 { raw.mode & UInt32(S_IFMT) }
    var isDirectory: Bool { type == UInt32(S_IFDIR) }
    var isRegular: Bool { type == UInt32(S_IFREG) }
    var isSymlink: Bool { type == UInt32(S_IFLNK) }

    /// Differs when the file's contents differ, as far as times and sizes tell.
    var contentVersion: ContentVersion {
        ContentVersion(seconds: raw.modified, fraction: raw.modifiedFraction, size: raw.size)
    }
}

/// The state of a file's contents when it was last looked at.
struct ContentVersion: Equatable, Sendable {
    let seconds: Int64
    let fraction: UInt32
    let size: UInt64
}
