internal import CLinux
internal import Glibc
internal import HostSystem
internal import Synchronization

/// Where an image's own file is: with this process, or given to another one (`DiskImage.handOver`).
///
/// The descriptor of a file that was given away stays open, so that nobody else gets its number, but leads to something that can neither be read
/// nor written. The file is closed: its lock has ended, and nothing in this process can change it.
final class DiskHandover: Sendable {
    /// A file as it was when it was given away.
    private struct Known: Equatable {
        let identity: FileIdentity
        let stamp: DiskStamp

        init(_ file: borrowing FileDescriptor) throws(SystemError) {
            identity = try file.identity()
            stamp = try DiskStamp(file)
        }
    }

    private let known = Mutex<Known?>(nil)

    /// Makes the file durable, and closes it. When this throws, it is as it was.
    ///
    /// - Parameter direct: another opening of the file, if there is one.
    func give(_ file: borrowing FileDescriptor, direct: Int32? = nil) throws(DiskImageError) {
        do throws(SystemError) {
            try file.synchronize()
            let found = try Known(file)
            let placeholder = FileDescriptor(owning: try checked("epoll_create1") { aerie_epoll_create() })
            if let direct { try placeholder.replace(direct) }
            // A process that is being started may have a duplicate for a moment, which would keep the lock.
            file.unlock()
            try placeholder.replace(file.rawValue)
            known.withLock { $0 = found }
        } catch { throw .system(error) }
    }

    /// Takes the file back, which another process has opened and locked for this one.
    ///
    /// - Parameters:
    ///   - file: the image's descriptor.
    ///   - isUnused: whether no other process has used it, as far as the caller knows. A block device has no time of its last change, and is taken back
    ///     only then.
    /// - Throws: `unsupported` for another file, for one that somebody has written to meanwhile, and for a block device that may have been used.
    func take(
        _ opened: borrowing FileDescriptor, path: String, _ file: Int32, isUnused: Bool
    ) throws(DiskImageError) {
        let before = known.withLock { $0 }
        let isSame: Bool
        let isFile: Bool
        do throws(SystemError) {
            isSame = try before == Known(opened)
            isFile = try opened.kind() == .regular
        } catch { throw .system(error) }
        guard isSame else {
            throw .unsupported(
                path: path, found: "it was changed while another process had it",
                advice: "the guest cannot go on with it; boot it again")
        }
        guard isFile || isUnused else {
            throw .unsupported(
                path: path, found: "it is a block device, and may have been changed while another process had it",
                advice: "the guest cannot go on with it; boot it again")
        }
        do throws(SystemError) { try opened.replace(file) } catch { throw .system(error) }
        known.withLock { $0 = nil }
    }
}
