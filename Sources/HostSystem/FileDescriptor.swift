internal import CLinux
internal import Glibc

/// An owned file descriptor, closed when the value is destroyed.
package struct FileDescriptor: ~Copyable, Sendable {
    package let rawValue: Int32

    /// Takes ownership of an open descriptor.
    package init(owning rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// Opens `path` close-on-exec with the flags and mode of open(2).
    package init(path: String, flags: Int32, mode: UInt32 = 0o644) throws(SystemError) {
        rawValue = try checked("open \(path)") { aerie_open(path, flags, mode) }
    }

    /// Opens a second descriptor (F_DUPFD_CLOEXEC) of the open file description of `other`, which stays its owner's.
    ///
    /// - Parameter least: the number of the new descriptor is at least this one.
    package init(duplicating other: Int32, least: Int32 = 0) throws(SystemError) {
        rawValue = try checked("fcntl F_DUPFD_CLOEXEC") { fcntl(other, F_DUPFD_CLOEXEC, least) }
    }

    deinit { close(rawValue) }

    /// Transfers ownership of the descriptor to the caller, who must close it.
    package consuming func release() -> Int32 {
        let value = rawValue
        discard self
        return value
    }

    /// A second descriptor of the same open file description.
    package func duplicate() throws(SystemError) -> FileDescriptor {
        try FileDescriptor(duplicating: rawValue)
    }

    /// Lets another descriptor of this process, which stays its owner's, lead to this one's open file. What it led to before is closed if it was the
    /// last one.
    package func replace(_ other: Int32) throws(SystemError) {
        _ = try checked("dup3") { dup3(rawValue, other, O_CLOEXEC) }
    }

    /// The size of a file or block device in bytes. Moves the file position to the end.
    package func size() throws(SystemError) -> UInt64 {
        UInt64(try checked("lseek") { lseek(rawValue, 0, Int32(SEEK_END)) })
    }

    /// Whether the descriptor refers to a regular file.
    package var isRegularFile: Bool { aerie_file_kind(rawValue) == 1 }

    /// Sets the file's size in bytes.
    package func truncate(to size: UInt64) throws(SystemError) {
        _ = try checked("ftruncate") { ftruncate(rawValue, off_t(size)) }
    }

    /// Reads at the current position; 0 at end of file.
    package func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        try checked("read") { Glibc.read(rawValue, buffer.baseAddress, buffer.count) }
    }

    /// Writes the whole buffer at the current position.
    package func writeAll(_ buffer: UnsafeRawBufferPointer) throws(SystemError) {
        var rest = buffer[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest)
            let count = try checked("write") { Glibc.write(rawValue, part.baseAddress, part.count) }
            rest = rest.dropFirst(count)
        }
    }

    /// Reads up to the buffer's size at `offset`; less only at end of file.
    package func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        var done = 0
        while done < buffer.count {
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = try checked("pread") {
                pread(rawValue, part.baseAddress, part.count, off_t(offset) + off_t(done))
            }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// Writes the whole buffer at `offset`.
    package func writeAll(at offset: UInt64, _ buffer: UnsafeRawBufferPointer) throws(SystemError) {
        var done = 0
        while done < buffer.count {
            let part = UnsafeRawBufferPointer(rebasing: buffer[done...])
            done += try checked("pwrite") {
                pwrite(rawValue, part.baseAddress, part.count, off_t(offset) + off_t(done))
            }
        }
    }

    /// Writes all bytes at the current position.
    package func writeAll(_ bytes: [UInt8]) throws(SystemError) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(SystemError) in
            try writeAll(UnsafeRawBufferPointer(buffer))
        }
    }

    /// Writes all bytes at `offset`.
    package func writeAll(at offset: UInt64, _ bytes: [UInt8]) throws(SystemError) {
        try bytes.withUnsafeBufferPointer { (buffer) throws(SystemError) in
            try writeAll(at: offset, UnsafeRawBufferPointer(buffer))
        }
    }

    /// Makes written data durable (fdatasync).
    package func synchronize() throws(SystemError) {
        _ = try checked("fdatasync") { fdatasync(rawValue) }
    }

    /// Makes a file's data, or a directory's entries, survive a loss of power (fsync).
    ///
    /// - Parameter flags: of open(2), besides those for reading.
    package static func synchronize(path: String, flags: Int32 = 0) throws(SystemError) {
        let file = try FileDescriptor(path: path, flags: O_RDONLY | flags)
        _ = try checked("fsync \(path)") { fsync(file.rawValue) }
    }
}
