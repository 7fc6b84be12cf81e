internal import Glibc

/// The file of a listening socket whose process has ended.
package enum LeftOverSocket {
    /// Removes the file if it is a socket that nobody listens at.
    package static func remove(_ path: String) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
        let connection = UnixSocketBackend.connect(to: path)
        if connection >= 0 {
            close(connection)
        } else if errno == ECONNREFUSED {
            unlink(path)
        }
    }
}
