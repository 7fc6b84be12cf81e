internal import Glibc
internal import HostSystem

/// The bytes that a kernel or another part is read from: a file, what was decompressed from one, or a file and bytes behind it.
///
/// A file stays open, so that a guest can be loaded again at its reset when the process no longer sees the file system.
package final class BootSource: Sendable {
    private enum Content: ~Copyable {
        case file(FileDescriptor)
        case bytes([UInt8])
    }

    package let item: BootItem
    /// Bytes, more than 0.
    package let size: UInt64
    private let content: Content
    /// Where the content ends and zeros, then `appended`, begin.
    private let contentSize: UInt64
    private let appended: [UInt8]
    private let appendedStart: UInt64

    /// Appended bytes begin at a multiple of this: an archive behind an initial RAM disk must
    /// (Documentation/driver-api/early-userspace/buffer-format.rst of Linux).
    private static let alignment: UInt64 = 4

    /// Opens a regular file that is not empty.
    ///
    /// - Parameter appended: bytes behind the file's, after zeros up to a multiple of four.
    package init(_ role: BootItem.Role, path: String, appending appended: [UInt8] = []) throws(BootError) {
        let item = BootItem(role, path)
        let file = try Self.open(path, item)
        let fileSize = try Self.sizeOfRegularFile(file, item)
        guard fileSize > 0 else { throw .empty(item) }
        self.item = item
        self.appended = appended
        contentSize = fileSize
        appendedStart =
            appended.isEmpty ? fileSize : (fileSize + Self.alignment - 1) / Self.alignment * Self.alignment
        size = appendedStart + UInt64(appended.count)
        content = .file(file)
    }

    private static func open(_ path: String, _ item: BootItem) throws(BootError) -> FileDescriptor {
        do throws(SystemError) {
            // Non-blocking, because opening a pipe without a writer would wait for one.
            return try FileDescriptor(path: path, flags: O_RDONLY | O_NONBLOCK)
        } catch {
            throw error.code == ENOENT || error.code == ENOTDIR ? .missing(item) : unreadable(item, error)
        }
    }

    private static func sizeOfRegularFile(
        _ file: borrowing FileDescriptor, _ item: BootItem
    ) throws(BootError) -> UInt64 {
        var status = stat()
        guard fstat(file.rawValue, &status) == 0 else { throw unreadable(item, .last("fstat")) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(item) }
        return UInt64(max(status.st_size, 0))
    }

    private static func unreadable(_ item: BootItem, _ error: SystemError) -> BootError {
        .unreadable(item, reason: String(cString: strerror(error.code)))
    }

    /// Bytes in memory.
    package init(_ item: BootItem, bytes: [UInt8]) throws(BootError) {
        guard !bytes.isEmpty else { throw .empty(item) }
        self.item = item
        size = UInt64(bytes.count)
        contentSize = size
        appended = []
        appendedStart = size
        content = .bytes(bytes)
    }

    /// Throws unless `count` bytes at `offset` exist; their end may lie beyond 2^64.
    package func check(offset: UInt64, count: UInt64) throws(BootError) {
        let (end, overflow) = offset.addingReportingOverflow(count)
        guard !overflow else {
            throw .corrupt(item, reason: "\(count) bytes at offset \(hexadecimal(offset)) are beyond any file")
        }
        guard end <= size else { throw .truncated(item, needed: end, found: size) }
    }

    /// Fills `buffer` from `offset`.
    package func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(BootError) {
        try check(offset: offset, count: UInt64(buffer.count))
        guard offset + UInt64(buffer.count) > contentSize else { return try readContent(at: offset, into: buffer) }
        let head = offset < contentSize ? Int(contentSize - offset) : 0
        if head > 0 { try readContent(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<head])) }
        for index in head..<buffer.count {
            let position = offset + UInt64(index)
            buffer[index] = position < appendedStart ? 0 : appended[Int(position - appendedStart)]
        }
    }

    /// Fills `buffer` from the file or the bytes alone.
    private func readContent(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(BootError) {
        switch content {
        case .bytes(let bytes):
            let start = Int(offset)
            bytes.withUnsafeBytes { buffer.copyMemory(from: .init(rebasing: $0[start..<start + buffer.count])) }
        case .file(let file):
            let count: Int
            do throws(SystemError) {
                count = try file.read(at: offset, into: buffer)
            } catch {
                throw Self.unreadable(item, error)
            }
            // The file was cut while the machine was starting.
            guard count == buffer.count else {
                throw .truncated(item, needed: offset + UInt64(buffer.count), found: offset + UInt64(count))
            }
        }
    }

    /// A copy of `count` bytes at `offset`; the caller bounds `count`.
    package func bytes(at offset: UInt64, count: Int) throws(BootError) -> [UInt8] {
        try check(offset: offset, count: UInt64(count))
        var result = [UInt8](repeating: 0, count: count)
        try result.withUnsafeMutableBufferPointer { (buffer) throws(BootError) in
            try read(at: offset, into: UnsafeMutableRawBufferPointer(buffer))
        }
        return result
    }

    /// The first bytes, at most `limit`.
    package func prefix(_ limit: Int) throws(BootError) -> [UInt8] {
        try bytes(at: 0, count: Int(min(size, UInt64(limit))))
    }
}
