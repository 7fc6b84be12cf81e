internal import Glibc
package import HostSystem
internal import SavedState

/// Writes a snapshot as one stream. Pages of zeroes are left out; the rest is compressed.
package final class ArchiveWriter {
    private static let page = 4096

    private let file: FileDescriptor
    private let compressor = BlockCompressor(longest: ArchiveFormat.dataLimit)

    /// Writes the beginning of the stream.
    package init(to file: consuming FileDescriptor) throws(ArchiveError) {
        self.file = file
        try write(ArchiveFormat.magic + LittleEndian.bytes(ArchiveFormat.version) + LittleEndian.bytes(UInt32(0)))
    }

    /// Begins a member; those before are complete.
    ///
    /// - Parameter size: bytes of its contents.
    package func begin(_ member: ArchiveMember, size: UInt64) throws(ArchiveError) {
        try writeBlock(
            .init(kind: .member, member: member.rawValue, place: size), UnsafeRawBufferPointer(start: nil, count: 0))
    }

    /// Writes a part of the member's contents, behind the parts before. Whole pages of zeroes in it are left out.
    package func write(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        var start = 0
        while start < bytes.count {
            let isZero = Self.isZero(bytes, at: start)
            var end = min(start + Self.page, bytes.count)
            while end < bytes.count, isZero || end - start < ArchiveFormat.dataLimit,
                Self.isZero(bytes, at: end) == isZero
            {
                end = min(end + Self.page, bytes.count)
            }
            if !isZero {
                try writeData(at: offset + UInt64(start), UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
            }
            start = end
        }
    }

    /// Writes the end of the stream.
    package func finish() throws(ArchiveError) {
        try writeBlock(.init(kind: .end), UnsafeRawBufferPointer(start: nil, count: 0))
    }

    private func writeData(at offset: UInt64, _ bytes: UnsafeRawBufferPointer) throws(ArchiveError) {
        let stored = compressor.compress(bytes, most: bytes.count - 1) ?? bytes
        let header = ArchiveFormat.BlockHeader(
            kind: .data, place: offset, dataCount: UInt32(bytes.count), payloadCount: UInt32(stored.count))
        try writeBlock(header, stored)
    }

    private func writeBlock(
        _ header: ArchiveFormat.BlockHeader, _ payload: UnsafeRawBufferPointer
    ) throws(ArchiveError) {
        let fields = header.encoded
        try write(fields + LittleEndian.bytes(CRC32C.checksum(of: fields, payload)))
        do { try file.writeAll(payload) } catch { throw .system(error) }
    }

    private func write(_ bytes: [UInt8]) throws(ArchiveError) {
        do { try file.writeAll(bytes) } catch { throw .system(error) }
    }

    /// Whether the page that begins at `start` is zero.
    private static func isZero(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Bool {
        let count = min(page, bytes.count - start)
        let first = bytes.baseAddress! + start
        // All bytes are zero if the first one is, and each equals the one before.
        return bytes[start] == 0 && memcmp(first, first + 1, count - 1) == 0
    }
}
