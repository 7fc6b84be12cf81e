internal import Glibc
internal import HostSystem

extension FileDescriptor {
    /// Makes a file for the user only, for reading and writing. It must not be there.
    init(new path: String) throws(SystemError) {
        try self.init(path: path, flags: O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
    }
}
