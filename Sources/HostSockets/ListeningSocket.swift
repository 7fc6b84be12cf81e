internal import CSockets
internal import Glibc
internal import HostSystem

/// A listening socket of Unix with its file, which is removed at the end.
final class ListeningSocket: Sendable {
    let path: String
    let descriptor: FileDescriptor
    private let identity: FileIdentity

    /// Listens at `path`. A socket's file that nobody listens at any more is replaced.
    ///
    /// - Throws: EADDRINUSE when somebody listens there, and EEXIST when there is something else.
    init(path: String) throws(SystemError) {
        self.path = path
        // The file gets its name when the socket listens already: nobody finds it and takes it for one that is left over.
        let temporary = "\(path).\(getpid())"
        unlink(temporary)
        descriptor = FileDescriptor(owning: try checked("bind \(path)") { aerie_stream_listen(temporary) })
        defer { unlink(temporary) }
        identity = try FileIdentity(path: temporary)
        if link(temporary, path) == 0 { return }
        guard errno == EEXIST else { throw .last("bind \(path)") }
        try Self.checkLeftOver(path)
        _ = try checked("bind \(path)") { rename(temporary, path) }
    }

    private static func checkLeftOver(_ path: String) throws(SystemError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { throw .last("stat \(path)") }
        guard status.st_mode & S_IFMT == S_IFSOCK else { throw SystemError("bind \(path)", code: EEXIST) }
        let connection = aerie_stream_connect(path)
        if connection >= 0 { close(connection) }
        // A full queue is somebody's, too.
        guard connection < 0, errno == ECONNREFUSED else { throw SystemError("bind \(path)", code: EADDRINUSE) }
    }

    /// Removes the file, unless another program has put its own there.
    func remove() {
        guard let found = try? FileIdentity(path: path), found == identity else { return }
        unlink(path)
    }

    deinit { remove() }
}
