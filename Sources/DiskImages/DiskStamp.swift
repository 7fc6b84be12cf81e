internal import Glibc
package import HostSystem

/// What shows that a disk's file was changed: another one, or written to since.
///
/// The number of the file's device is not a part of it: it is another one after a restart of the host, or where the file system is mounted again.
package struct DiskStamp: Equatable, Sendable {
    /// The number of the inode; 0 for a block device.
    package let node: UInt64
    /// Bytes.
    package let size: UInt64
    /// The time of the last change, in nanoseconds since 1970; 0 for a block device, which has none.
    package let modified: Int64

    package init(node: UInt64, size: UInt64, modified: Int64) {
        self.node = node
        self.size = size
        self.modified = modified
    }

    /// The file of a descriptor at this moment.
    package init(_ file: borrowing FileDescriptor) throws(SystemError) {
        var status = stat()
        let descriptor = file.rawValue
        _ = try checked("fstat") { fstat(descriptor, &status) }
        let isFile = try file.kind() == .regular
        node = isFile ? UInt64(status.st_ino) : 0
        size = try file.size()
        modified = isFile ? try file.modificationTime() : 0
    }
}
