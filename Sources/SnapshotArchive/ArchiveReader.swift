package import HostSystem
internal import SavedState

/// Reads an exported snapshot, of untrusted origin, a block at a time. It stores nothing, and its memory does not grow with the archive.
package final class ArchiveReader {
    package enum Event: Equatable, Sendable {
        /// A member begins; those before are complete.
        case member(ArchiveMember, size: UInt64)
        /// A part of the member's contents, behind the parts before: `count` bytes at the beginning of `withData`.
        case data(offset: UInt64, count: Int)
        /// The archive is complete.
        case end
    }

    private let file: FileDescriptor
    private let data = UnsafeMutableRawBufferPointer.allocate(byteCount: ArchiveFormat.dataLimit, alignment: 4096)
    private let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: ArchiveFormat.dataLimit, alignment: 16)
    /// Bytes that were read.
    private var offset: UInt64 = 0
    private var member: ArchiveMember?
    private var size: UInt64 = 0
    /// The end of the member's last data.
    private var position: UInt64 = 0

    /// Reads the beginning of the stream.
    package init(from file: consuming FileDescriptor) throws(ArchiveError) {
        self.file = file
        let head: [UInt8]
        do throws(ArchiveError) {
            head = try read(ArchiveFormat.fileHeaderSize)
        } catch {
            if case .truncated = error { throw .notAnArchive }
            throw error
        }
        guard head.starts(with: ArchiveFormat.magic) else { throw .notAnArchive }
        let version: UInt32 = LittleEndian.integer(head, at: 8)
        guard version == ArchiveFormat.version else { throw .version(version) }
    }

    deinit {
        data.deallocate()
        payload.deallocate()
    }

    /// Reads the next block. Not after `end`.
    package func next() throws(ArchiveError) -> Event {
        let place = offset
        let head = try read(ArchiveFormat.blockHeaderSize)
        let fields = Array(head.prefix(24))
        let count: UInt32 = LittleEndian.integer(head, at: 20)
        guard count <= ArchiveFormat.dataLimit else { throw .damaged(at: place, "its payload is too long") }
        let stored = UnsafeMutableRawBufferPointer(rebasing: payload[..<Int(count)])
        try read(into: stored)
        guard CRC32C.checksum(of: fields, UnsafeRawBufferPointer(stored)) == LittleEndian.integer(head, at: 24)
        else {
            throw .damaged(at: place, "its checksum is wrong")
        }
        let header = ArchiveFormat.BlockHeader(
            kind: .end, member: LittleEndian.integer(head, at: 4), place: LittleEndian.integer(head, at: 8),
            dataCount: LittleEndian.integer(head, at: 16), payloadCount: count)
        switch ArchiveFormat.Kind(rawValue: LittleEndian.integer(head, at: 0)) {
        case .member: return try begin(header, at: place)
        case .data: return try takeData(header, stored, at: place)
        case .end:
            guard header.member == 0, header.place == 0, header.dataCount == 0, count == 0 else { break }
            return try finish(at: place)
        case nil: break
        }
        throw .damaged(at: place, "its kind is not known")
    }

    private func begin(_ header: ArchiveFormat.BlockHeader, at place: UInt64) throws(ArchiveError) -> Event {
        guard header.dataCount == 0, header.payloadCount == 0, let next = ArchiveMember(rawValue: header.member),
            next.rawValue > member?.rawValue ?? 0
        else { throw .damaged(at: place, "its part of the snapshot is not known, or in the wrong order") }
        guard header.place <= next.limit else {
            throw .damaged(at: place, "its part of the snapshot has \(header.place) bytes, more than \(next.limit)")
        }
        (member, size, position) = (next, header.place, 0)
        return .member(next, size: size)
    }

    private func takeData(
        _ header: ArchiveFormat.BlockHeader, _ stored: UnsafeMutableRawBufferPointer, at place: UInt64
    ) throws(ArchiveError) -> Event {
        let count = Int(header.dataCount)
        guard header.member == 0, (1...ArchiveFormat.dataLimit).contains(count), stored.count <= count,
            header.place >= position, header.place <= size, UInt64(count) <= size - header.place
        else { throw .damaged(at: place, "its data are outside of their part of the snapshot") }
        if stored.count == count {
            data.copyMemory(from: UnsafeRawBufferPointer(stored))
        } else {
            let target = UnsafeMutableRawBufferPointer(rebasing: data[..<count])
            guard decompressBlock(UnsafeRawBufferPointer(stored), into: target) == count else {
                throw .damaged(at: place, "its data cannot be decompressed")
            }
        }
        position = header.place + UInt64(count)
        return .data(offset: header.place, count: count)
    }

    /// Nothing follows the end.
    private func finish(at place: UInt64) throws(ArchiveError) -> Event {
        guard try readSome(into: payload) == 0 else { throw .damaged(at: place, "more follows the end") }
        return .end
    }

    /// Lets `body` see the bytes of the last `data` event.
    package func withData<Result, Failure: Error>(
        _ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeMutableRawBufferPointer(rebasing: data[..<count]))
    }

    // MARK: Bytes

    private func read(_ count: Int) throws(ArchiveError) -> [UInt8] {
        let buffer = UnsafeMutableRawBufferPointer(rebasing: payload[..<count])
        try read(into: buffer)
        return Array(buffer)
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) {
        var done = 0
        while done < buffer.count {
            let count = try readSome(into: UnsafeMutableRawBufferPointer(rebasing: buffer[done...]))
            guard count > 0 else { throw .truncated(at: offset) }
            done += count
        }
    }

    private func readSome(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        do {
            let count = try file.read(into: buffer)
            offset += UInt64(count)
            return count
        } catch { throw .system(error) }
    }
}
