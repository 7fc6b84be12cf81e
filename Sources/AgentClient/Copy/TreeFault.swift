package import HostSystem

/// The reason why one member of a copy failed. The others are not affected.
package enum TreeFault: Error, Equatable, Sendable {
    case system(SystemError)
    /// A symbolic link or a file stands in a place where a directory has to be.
    case notADirectory
    /// Something stands in the place that a copy does not replace: a device, a socket, a fifo.
    case notReplaced
    /// A directory stands in a file's place.
    case isADirectory
    case deviceNode
    /// The name leads out of the copy's directory.
    case invalidName
    /// A second name of something that is not part of the copy's directory, or not a file.
    case invalidLink
    /// The guest sends more or other bytes than the member has.
    case wrongSize
    /// A file of this host changed while it was read.
    case changed

    package var found: String {
        switch self {
        case .system(let error): error.reason
        case .notADirectory: "a part of the path is not a directory; symbolic links are not followed"
        case .notReplaced: "something other than a file is in its place"
        case .isADirectory: "a directory is in its place"
        case .deviceNode: "devices and sockets are not copied"
        case .invalidName: "the name leads out of the copy's directory"
        case .invalidLink: "a hard link to something other than a file of the copy"
        case .wrongSize: "the guest sent more bytes than the file has"
        case .changed: "the file changed while it was read"
        }
    }
}
