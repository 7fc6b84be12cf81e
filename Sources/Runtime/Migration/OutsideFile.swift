internal import Glibc
internal import HostSystem

/// A file that a machine uses and that is not in its directory: a disk of `--disk` or `--overlay`, what a disk is based on, or a flash file.
package struct OutsideFile: Codable, Equatable, Sendable {
    /// Where the receiver's machine finds it.
    package enum Place: String, Codable, Sendable {
        /// The file is there: both hosts see it.
        case here
        /// There was none at its path: it is sent.
        case copied
    }

    /// Absolute, without `.` and `..`.
    package var path: String
    /// Bytes. A file that is written to may have grown since.
    package var size: UInt64
    /// The number of its inode.
    package var node: UInt64
    /// The time of the last change, in nanoseconds since 1970.
    package var modified: Int64
    /// Whether the guest writes to it.
    package var isWritten: Bool
    /// Whether it is a block device.
    package var isDevice: Bool
    /// Whether it is based on the machine's image, which it names by its path.
    package var isOnImage: Bool?

    package init(
        path: String, size: UInt64, node: UInt64, modified: Int64, isWritten: Bool, isDevice: Bool = false,
        isOnImage: Bool? = nil
    ) {
        self.path = path
        self.size = size
        self.node = node
        self.modified = modified
        self.isWritten = isWritten
        self.isDevice = isDevice
        self.isOnImage = isOnImage
    }

    /// Looks at the file at a path.
    ///
    /// - Returns: nil for what is neither a regular file nor a block device.
    init?(at path: String, isWritten: Bool) throws(SystemError) {
        // O_NONBLOCK: a named pipe is no reason to wait for its other end.
        let file = try FileDescriptor(path: path, flags: O_RDONLY | O_NONBLOCK)
        // Other hosts see the size that a server of files knows.
        if isWritten { try? file.synchronize() }
        try self.init(file, at: path, isWritten: isWritten)
    }

    init?(_ file: borrowing FileDescriptor, at path: String, isWritten: Bool) throws(SystemError) {
        var status = stat()
        let descriptor = file.rawValue
        _ = try checked("fstat") { fstat(descriptor, &status) }
        let kind = try file.kind()
        guard kind != .other else { return nil }
        self.init(
            path: path, size: try file.size(), node: UInt64(status.st_ino),
            modified: try file.modificationTime(), isWritten: isWritten, isDevice: kind == .blockDevice)
    }

    // MARK: Paths

    /// Whether a path is absolute, names its file in one way only, and leads every process of a host to the same file.
    static func isPlain(_ path: String) -> Bool {
        guard path.utf8.first == UInt8(ascii: "/"), path.utf8.count < Int(PATH_MAX), isPrintable(path),
            !["/proc/", "/dev/fd/"].contains(where: { path.hasPrefix($0) })
        else { return false }
        return path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
            .allSatisfy { !$0.isEmpty && $0 != "." && $0 != ".." }
    }

    private static func isPrintable(_ path: String) -> Bool { path.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F } }

    /// A path of the peer's, for messages.
    var shownPath: String { Self.isPrintable(path) ? path : "with control characters" }

    /// The directory and the name of a plain path's file.
    static func parts(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return ("/", path) }
        let directory = String(path[..<slash])
        return (directory.isEmpty ? "/" : directory, String(path[path.utf8.index(after: slash)...]))
    }

    /// A plain path of the file at `path`; the same path if it is one.
    static func plain(_ path: String) -> String {
        guard !isPlain(path) else { return path }
        let (directory, name) = parts(path)
        guard name != ".", name != "..", let parent = HostPath.resolved(directory) else { return path }
        return parent == "/" ? "/\(name)" : "\(parent)/\(name)"
    }
}
