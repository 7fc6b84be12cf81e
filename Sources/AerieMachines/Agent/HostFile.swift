internal import Glibc

/// A path of this host, as a source or a destination of a copy.
package struct HostFile {
    package let isDirectory: Bool
    package let isRegular: Bool
    /// The path without symbolic links; of a link that is not followed, as it was given.
    package let realPath: String

    /// Nil, with `errno` set, when there is nothing.
    package init?(_ path: String, followsLink: Bool) {
        var status = stat()
        guard (followsLink ? stat(path, &status) : lstat(path, &status)) == 0 else { return nil }
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
        isRegular = status.st_mode & S_IFMT == S_IFREG
        guard followsLink, let real = realpath(path, nil) else {
            realPath = path
            return
        }
        defer { free(real) }
        realPath = String(cString: real)
    }

    /// The last component of the path without symbolic links; nil for the root directory.
    package var realName: String? {
        realPath.utf8.split(separator: UInt8(ascii: "/")).last.map { String(decoding: $0, as: UTF8.self) }
    }
}
