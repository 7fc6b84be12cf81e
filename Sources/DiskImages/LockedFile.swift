internal import Glibc
internal import HostSystem

/// The open file of a disk image, locked against other programs and other images of this one: shared for reading, exclusive for
/// writing.
struct LockedFile: ~Copyable {
    let descriptor: FileDescriptor
    /// In bytes, when it was opened.
    let size: UInt64
    let kind: FileKind

    /// Opens and locks a regular file or a block device that is not empty.
    ///
    /// - Parameter files: has the file open and locked already; nil opens it.
    init(path: String, readOnly: Bool, files: DiskFiles? = nil) throws(DiskImageError) {
        let opened = if let files { try files.descriptor(path) } else { try Self.open(path, readOnly) }
        let kind: FileKind
        let isLocked: Bool
        let size: UInt64
        do {
            // A pipe has neither locks nor a size.
            kind = try opened.kind()
            // The lock of a file that somebody else has opened is theirs.
            isLocked = kind == .other ? false : files != nil ? true : try opened.lock(exclusive: !readOnly)
            size = isLocked ? try opened.size() : 0
        } catch {
            throw .cannotOpen(path: path, error)
        }
        guard kind != .other else { throw .notADisk(path: path) }
        guard isLocked else { throw .inUse(path: path, forWriting: !readOnly) }
        guard size > 0 else {
            opened.unlock()
            throw .empty(path: path)
        }
        self.kind = kind
        self.size = size
        descriptor = opened
    }

    private static func open(_ path: String, _ readOnly: Bool) throws(DiskImageError) -> FileDescriptor {
        do {
            // O_NONBLOCK: a named pipe is an error to report, not a reason to wait for its other end.
            return try FileDescriptor(path: path, flags: (readOnly ? O_RDONLY : O_RDWR) | O_NONBLOCK)
        } catch {
            throw error.code == EISDIR || error.code == ENXIO ? .notADisk(path: path) : .cannotOpen(path: path, error)
        }
    }
}
