internal import CLinux
internal import Glibc

/// The kind of a descriptor's file.
package enum FileKind: Equatable, Sendable {
    case regular
    case blockDevice
    case other
}

extension FileDescriptor {
    /// The file's kind.
    package func kind() throws(SystemError) -> FileKind {
        switch try checked("fstat", { aerie_file_kind(rawValue) }) {
        case 1: .regular
        case 2: .blockDevice
        default: .other
        }
    }

    /// The modification time of the file's contents, in nanoseconds since 1970.
    package func modificationTime() throws(SystemError) -> Int64 {
        try checked("fstat") { aerie_file_modified(rawValue) }
    }

    /// The bytes that the file occupies on the host.
    package func allocatedSize() throws(SystemError) -> UInt64 {
        UInt64(try checked("fstat") { aerie_file_allocated(rawValue) })
    }

    /// Takes an advisory lock on the whole file for this open file description (F_OFD_SETLK), without waiting. The lock ends
    /// with `unlock`, or when the last duplicate of the descriptor is closed.
    ///
    /// - Returns: false when another open file description holds a conflicting lock.
    package func lock(exclusive: Bool) throws(SystemError) -> Bool {
        do {
            _ = try checked("fcntl F_OFD_SETLK") { aerie_lock_file(rawValue, exclusive ? 1 : 0) }
            return true
        } catch  where error.code == EAGAIN || error.code == EACCES {
            return false
        }
    }

    /// Releases the lock of `lock`.
    package func unlock() { _ = aerie_unlock_file(rawValue) }

    /// Deallocates the range's blocks; it then reads as zeroes. Throws EOPNOTSUPP when the file system cannot do that.
    package func punchHole(at offset: UInt64, count: UInt64) throws(SystemError) {
        _ = try checked("fallocate PUNCH_HOLE") { aerie_punch_hole(rawValue, off_t(offset), off_t(count)) }
    }

    /// Zeroes the range and keeps its blocks allocated. Throws EOPNOTSUPP when the file system cannot do that.
    package func zeroRange(at offset: UInt64, count: UInt64) throws(SystemError) {
        _ = try checked("fallocate ZERO_RANGE") { aerie_zero_range(rawValue, off_t(offset), off_t(count)) }
    }

    /// Whether the file is in a file system whose files are in memory (tmpfs, ramfs).
    package func isInMemory() throws(SystemError) -> Bool {
        try checked("fstatfs") { aerie_is_in_memory(rawValue) } == 1
    }

    /// Creates an unnamed empty file in `directory`. It is deleted when its last descriptor is closed.
    package init(unnamedIn directory: String) throws(SystemError) {
        do {
            self.init(owning: try checked("open O_TMPFILE in \(directory)") { aerie_open_unnamed(directory) })
        } catch  where error.code == EOPNOTSUPP || error.code == EISDIR {
            // Some file systems (NFS, overlayfs on old kernels) lack O_TMPFILE: create a named file and unlink it.
            var suffix: UInt64 = 0
            try withUnsafeMutableBytes(of: &suffix) { bytes throws(SystemError) in try fillWithRandomBytes(bytes) }
            let path = directory + "/.aerie-" + String(suffix, radix: 36)
            try self.init(path: path, flags: O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
            unlink(path)
        }
    }
}

/// Bytes from the kernel's random generator (getrandom).
package func randomBytes(count: Int) throws(SystemError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    try bytes.withUnsafeMutableBufferPointer { (buffer) throws(SystemError) in
        try fillWithRandomBytes(UnsafeMutableRawBufferPointer(buffer))
    }
    return bytes
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
