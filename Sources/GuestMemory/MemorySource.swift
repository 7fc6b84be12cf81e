internal import Glibc
package import HostSystem

/// The files whose contents a memory begins with, and the part of the memory that each of them has. The files must not change.
package final class MemorySource: Sendable {
    /// A range of the memory, whose bytes are in a file at the same offsets.
    package struct Piece: Equatable, Sendable {
        /// Offsets; multiples of 4096.
        package let range: Range<UInt64>
        /// The file's number.
        package let file: Int

        package init(range: Range<UInt64>, file: Int) {
            self.range = range
            self.file = file
        }
    }

    /// An array takes no values that cannot be copied.
    private final class File: Sendable {
        let descriptor: FileDescriptor

        init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
    }

    /// Bytes of the memory.
    package let size: UInt64
    /// Ascending, without gaps or overlap, from 0 to `size`.
    package let pieces: [Piece]
    private let files: [File]

    /// - Parameters:
    ///   - files: descriptors, which stay the caller's; each file has the memory's size.
    ///   - pieces: nil for all of the memory from the first file.
    /// - Throws: EINVAL for a file of another size, and for pieces that are not those of the memory.
    package init(files: [Int32], size: UInt64, pieces: [Piece]? = nil) throws(SystemError) {
        self.size = size
        self.pieces = pieces ?? [Piece(range: 0..<size, file: 0)]
        var copies: [File] = []
        for file in files { copies.append(File(try FileDescriptor(duplicating: file))) }
        self.files = copies
        // An access behind the end of a mapped file would end the process.
        for file in copies where try file.descriptor.size() != size {
            throw SystemError("contents of another size", code: EINVAL)
        }
        guard let pieces else { return }
        var end: UInt64 = 0
        for piece in pieces {
            guard piece.range.lowerBound == end, piece.range.upperBound % 4096 == 0, !piece.range.isEmpty,
                copies.indices.contains(piece.file)
            else { throw SystemError("contents in wrong pieces", code: EINVAL) }
            end = piece.range.upperBound
        }
        guard end == size else { throw SystemError("contents in wrong pieces", code: EINVAL) }
    }

    /// The files in the order of their numbers. They are open as long as this object.
    package var descriptors: [Int32] { files.map { $0.descriptor.rawValue } }

    /// The next range at or after an offset that may have other contents than zeroes: data of one of the files.
    package func nextData(from offset: UInt64) throws(SystemError) -> Range<UInt64>? {
        for index in pieces[self.index(of: offset)...].indices {
            let range = max(pieces[index].range.lowerBound, offset)..<pieces[index].range.upperBound
            let data = try files[pieces[index].file].descriptor.nextData(from: range.lowerBound)
            if let data, data.lowerBound < range.upperBound { return data.clamped(to: range) }
        }
        return nil
    }

    /// Reads bytes of the memory: at most `buffer.count`, and none only behind the end.
    package func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        let index = index(of: offset)
        guard index < pieces.count, !buffer.isEmpty else { return 0 }
        let count = min(UInt64(buffer.count), pieces[index].range.upperBound - offset)
        return try files[pieces[index].file].descriptor.read(
            at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<Int(count)]))
    }

    /// The number of the first piece that ends behind an offset.
    private func index(of offset: UInt64) -> Int {
        var range = pieces.indices
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if pieces[middle].range.upperBound > offset {
                range = range.lowerBound..<middle
            } else {
                range = middle + 1..<range.upperBound
            }
        }
        return range.lowerBound
    }

    // MARK: Mappings

    /// Maps the memory privately. The mapping has as many ranges of the kernel as there are pieces.
    func map() throws(SystemError) -> Mapping {
        let flags = MAP_PRIVATE | MAP_NORESERVE
        let first = files[pieces[0].file].descriptor.rawValue
        let mapping = try Mapping(count: Int(size), flags: flags, descriptor: first)
        for piece in pieces where piece.file != pieces[0].file {
            let start = mapping.address + Int(piece.range.lowerBound)
            let found = mmap(
                start, piece.range.count, PROT_READ | PROT_WRITE, flags | MAP_FIXED,
                files[piece.file].descriptor.rawValue, off_t(piece.range.lowerBound))
            guard found == start else { throw .last("mmap of \(piece.range.count) bytes") }
        }
        return mapping
    }
}
