internal import DiskImages
internal import Glibc
internal import HostSystem

/// The file of a disk that several hosts see, as the machine left it that was handed over to another host.
package struct HandedOverDisk: Codable, Equatable, Sendable {
    /// As in the configuration.
    package let path: String
    /// The number of the inode; 0 for a block device.
    package let node: UInt64
    private let size: UInt64
    private let modified: Int64

    /// Looks at the file of a machine that has closed it.
    ///
    /// - Throws: `unavailable` for a file that cannot be opened.
    package init(at path: String) throws(AerieError) {
        let stamp: DiskStamp
        do throws(SystemError) {
            // Opening it asks a server of files for the newest attributes.
            stamp = try DiskStamp(try FileDescriptor(path: path, flags: O_RDONLY | O_NONBLOCK))
        } catch {
            throw AerieError(
                .unavailable, asked: "the disk \(path)", found: error.description,
                advice: "correct the path of the file")
        }
        self.path = path
        (node, size, modified) = (stamp.node, stamp.size, stamp.modified)
    }

    var stamp: DiskStamp { DiskStamp(node: node, size: size, modified: modified) }
}
