internal import CJail
internal import Glibc
internal import HostSystem

/// The directories that the process has open at the lock. From an open directory, '..' leads to everything above it, so that each is
/// opened again in the jail, where nothing is above it.
struct OpenDirectories {
    struct Share {
        let path: String
        let isReadOnly: Bool
        /// The process's descriptors of the directory.
        var descriptors: [Int32]
    }

    private(set) var shares: [Share] = []
    /// Of the directory /proc/self/fd, by which shared folders open files again.
    private(set) var processDirectories: [Int32] = []

    /// Finds them.
    ///
    /// - Parameter descriptors: all of this process's.
    /// - Throws: for a directory that the settings do not name.
    init(_ settings: JailSettings, among descriptors: [Int32]) throws(SystemError) {
        var identities: [(device: UInt64, node: UInt64)] = []
        for share in settings.shares {
            let directory = FileDescriptor(
                owning: try checked("open \(share.path)") { aerie_jail_open_directory(share.path) })
            identities.append(try Self.identity(directory.rawValue))
            shares.append(Share(path: share.path, isReadOnly: share.isReadOnly, descriptors: []))
        }
        for number in descriptors {
            switch aerie_jail_kind_of(number) {
            case AERIE_JAIL_PROCESS_DIRECTORY: processDirectories.append(number)
            case AERIE_JAIL_DIRECTORY:
                let found = try Self.identity(number)
                // Two shares may be the same directory: the descriptors are alike, and so is a read-only one's right to write.
                guard let index = identities.firstIndex(where: { $0 == found }) else {
                    throw SystemError(
                        "descriptor \(number), an open directory that is not a shared folder", code: EISDIR)
                }
                shares[index].descriptors.append(number)
            default: break
            }
        }
    }

    private static func identity(_ descriptor: Int32) throws(SystemError) -> (device: UInt64, node: UInt64) {
        var words: [UInt64] = [0, 0]
        _ = try checked("fstat") { aerie_jail_identity(descriptor, &words) }
        return (words[0], words[1])
    }
}
