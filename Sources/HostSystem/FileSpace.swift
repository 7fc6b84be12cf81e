internal import CLinux
internal import Glibc

/// What a descriptor refers to.
package enum FileKind: Equatable, Sendable {
    case regular
    case blockDevice
    case other
}

extension FileDescriptor {
    /// What kind of file this is.
    package func kind() throws(SystemError) -> FileKind {
        switch try checked("fstat", { aerie_file_kind(rawValue) }) {
        case 1: .regular
        case 2: .blockDevice
        default: .other
        }
    }

    /// When the file's contents last changed, in nanoseconds since 1970.
    package func modificationTime() throws(SystemError) -> Int64 {
        try checked("fstat") { aerie_file_modified(rawValue) }
    }

    /// Locks the whole file for this open file (F_OFD_SETLK), so that two programs that keep to such locks do not
    /// write to it at once. It ends when the last duplicate of the descriptor is closed.
    ///
    /// - Returns: false when somebody else holds a lock that conflicts.
    package func lock(exclusive: Bool) throws(SystemError) -> Bool {
        do {
            _ = try checked("fcntl F_OFD_SETLK") { aerie_lock_file(rawValue, exclusive ? 1 : 0) }
            return true
        } catch  where error.code == EAGAIN || error.code == EACCES {
            return false
        }
    }

    /// Ends what `lock` began.
    package func unlock() { _ = aerie_unlock_file(rawValue) }

    /// Gives the range's blocks back to the file system; it reads as zeroes then. EOPNOTSUPP where that cannot be done.
    package func punchHole(at offset: UInt64, count: UInt64) throws(SystemError) {
        _ = try checked("fallocate PUNCH_HOLE") { aerie_punch_hole(rawValue, off_t(offset), off_t(count)) }
    }

    /// Makes the range read as zeroes and keeps its blocks. EOPNOTSUPP where that cannot be done.
    package func zeroRange(at offset: UInt64, count: UInt64) throws(SystemError) {
        _ = try checked("fallocate ZERO_RANGE") { aerie_zero_range(rawValue, off_t(offset), off_t(count)) }
    }

    /// A new empty file in `directory` that has no name and vanishes with its last descriptor.
    package init(unnamedIn directory: String) throws(SystemError) {
        do {
            self.init(owning: try checked("open O_TMPFILE in \(directory)") { aerie_open_unnamed(directory) })
        } catch  where error.code == EOPNOTSUPP || error.code == EISDIR {
            // Some file systems (overlayfs over old kernels, NFS) have no O_TMPFILE: a name that lives for a moment.
            var suffix: UInt64 = 0
            try withUnsafeMutableBytes(of: &suffix) { bytes throws(SystemError) in try fillWithRandomBytes(bytes) }
            let path = directory + "/.aerie-" + String(suffix, radix: 36)
            try self.init(path: path, flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
            unlink(path)
        }
    }
}

/// Fills `buffer` from the kernel's random generator (getrandom).
package func fillWithRandomBytes(_ buffer: UnsafeMutableRawBufferPointer) throws(SystemError) {
    var rest = buffer[...]
    while !rest.isEmpty {
        let part = UnsafeMutableRawBufferPointer(rebasing: rest)
        let count = try checked("getrandom") { aerie_getrandom(part.baseAddress, part.count) }
        rest = rest.dropFirst(count)
    }
}
