package import HostSystem

/// Why a disk image could not be opened or used.
package enum DiskImageError: Error, Equatable, CustomStringConvertible {
    case cannotOpen(path: String, SystemError)
    /// Neither a regular file nor a block device.
    case notADisk(path: String)
    case empty(path: String)
    case inUse(path: String, forWriting: Bool)
    /// An overlay's base must not change under it.
    case writableBase
    case outOfRange(offset: UInt64, count: UInt64, size: UInt64)
    case readOnly
    /// Only a raw disk that is writable can be resized while it is used.
    case cannotGrow
    /// A disk in use becomes larger, not smaller.
    case notLarger(size: UInt64, present: UInt64)
    /// The file ends before the size it had when it was opened.
    case truncated(at: UInt64)
    /// The request's group was cancelled before it was done.
    case cancelled
    /// No directory takes the file for the changes of a copy-on-write disk.
    case noScratch(directories: [String], SystemError)
    /// The file for a copy-on-write disk's changes cannot have the size of the disk, in bytes.
    case changesTooLarge(size: UInt64, SystemError)
    case system(SystemError)
    /// The image contradicts itself, or refers to what it does not have.
    case damaged(path: String, found: String)
    /// The image is of a kind that cannot be used here.
    case unsupported(path: String, found: String, advice: String)
    /// No format was given, and the file begins as another format than raw.
    case formatNotGiven(path: String)
    /// There is a file that was not to be replaced.
    case exists(path: String)
    /// The chain of backing files of `path` cannot be used.
    case backing(path: String, found: String, advice: String)

    package var description: String {
        switch self {
        case .cannotOpen(let path, let error): "disk image \(path): \(error); check the path and its permissions"
        case .notADisk(let path): "disk image \(path): neither a regular file nor a block device; give one of those"
        case .empty(let path): "disk image \(path): the file is empty; create it with the size of the disk"
        case .inUse(let path, true):
            "disk image \(path): in use by another program; stop that one, or open the image read-only in both"
        case .inUse(let path, false): "disk image \(path): being written by another program; stop that one"
        case .writableBase: "the base of an overlay is open for writing; open it read-only"
        case .outOfRange(let offset, let count, let size):
            "\(count) bytes at offset \(offset) are not within the disk of \(size) bytes"
        case .readOnly: "the disk is read-only"
        case .cannotGrow: "only a writable raw disk can be resized while it is used"
        case .notLarger(let size, let present):
            "\(size) bytes are not more than the disk's \(present), or not a multiple of its blocks"
        case .truncated(let offset): "the image file was truncated while in use: no data at offset \(offset)"
        case .cancelled: "the request was cancelled"
        case .noScratch(let directories, let error):
            "the changes of a copy-on-write disk need a file in \(directories.joined(separator: " or ")): \(error); "
                + "set TMPDIR to a directory that can be written"
        case .changesTooLarge(let size, let error):
            "the file for the changes of a copy-on-write disk of \(size >> 20)M: \(error.reason)"
                + (error.advice.map { "; \($0)" } ?? "; set TMPDIR to a directory that takes such a file")
        case .system(let error): error.description
        case .damaged(let path, let found): "disk image \(path): \(found); check it with 'aerie disk check'"
        case .unsupported(let path, let found, let advice), .backing(let path, let found, let advice):
            "disk image \(path): \(found); \(advice)"
        case .exists(let path): "disk image \(path): the file exists; choose another name, or add --force to replace it"
        case .formatNotGiven(let path):
            "disk image \(path): the file begins as a qcow2 image and no format is given; add ',format=qcow2', or "
                + "',format=raw' for a disk whose guest may have written this"
        }
    }
}
