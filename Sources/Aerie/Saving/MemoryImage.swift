internal import Glibc
internal import GuestMemory
internal import HostSystem
internal import SavedState

/// Guest memory as a file that a machine maps: the bytes of all ranges in their order, zeroes as holes.
///
/// Each block of 64 KiB has a CRC-32C. The checksums are a part of the machine's saved state.
enum MemoryImage {
    static let blockSize = 64 << 10
    /// Bytes that are read or written at once: whole blocks.
    private static let step = 1 << 20

    /// Why a file is not the image that its checksums were made of.
    enum Fault: Error, Equatable, CustomStringConvertible {
        case size(found: UInt64, expected: UInt64)
        /// The block that begins at this offset has other contents.
        case block(offset: UInt64)
        case system(SystemError)

        var description: String {
            switch self {
            case .size(let found, let expected): "it has \(found) bytes instead of \(expected)"
            case .block(let offset):
                "the block of \(blockSize >> 10)K at offset \(offset) has other contents than those saved"
            case .system(let error): error.description
            }
        }
    }

    private static let zeroChecksum = CRC32C.checksum(of: [UInt8](repeating: 0, count: blockSize))

    /// Writes a machine's memory, whose vCPUs stand still, to an empty file.
    ///
    /// - Returns: the checksum of each block, little endian.
    static func write(_ memory: GuestMemory, to file: borrowing FileDescriptor) throws(SystemError) -> [UInt8] {
        var checksums = [UInt32](repeating: zeroChecksum, count: blocks(of: memory.size))
        try file.truncate(to: memory.size)
        var position: UInt64 = 0
        while let range = try memory.nextData(from: position) {
            // The end of a range may be within a block, which the next range must not write again.
            let first = max(range.lowerBound, position) / UInt64(blockSize)
            let end = min((range.upperBound + UInt64(blockSize) - 1) / UInt64(blockSize), UInt64(checksums.count))
            for block in first..<end {
                try write(Int(block), of: memory, to: file, &checksums)
            }
            position = max(range.upperBound, end * UInt64(blockSize))
            if position >= memory.size { break }
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * checksums.count)
        for checksum in checksums { withUnsafeBytes(of: checksum.littleEndian) { bytes += $0 } }
        return bytes
    }

    private static func write(
        _ block: Int, of memory: GuestMemory, to file: borrowing FileDescriptor, _ checksums: inout [UInt32]
    ) throws(SystemError) {
        let start = block * blockSize
        let bytes = UnsafeRawBufferPointer(
            start: memory.hostBase + start, count: min(blockSize, Int(memory.size) - start))
        guard !bytes.isZero else {
            if bytes.count < blockSize { checksums[block] = CRC32C.checksum(of: bytes) }
            return
        }
        checksums[block] = CRC32C.checksum(of: bytes)
        try file.writeAll(at: UInt64(start), bytes)
    }

    /// Reads a whole image and compares it with its checksums.
    ///
    /// - Parameter checksums: as `write` has returned them; of untrusted origin.
    static func check(
        _ file: borrowing FileDescriptor, size: UInt64, checksums: [UInt8]
    ) throws(Fault) {
        let found: UInt64
        do { found = try file.size() } catch { throw .system(error) }
        guard found == size, checksums.count == 4 * blocks(of: size) else { throw .size(found: found, expected: size) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: step, alignment: 4096)
        defer { buffer.deallocate() }
        var start: UInt64 = 0
        while start < size {
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(step, Int(size - start))])
            try read(file, at: start, into: piece)
            for offset in stride(from: 0, to: piece.count, by: blockSize) {
                let block = UnsafeRawBufferPointer(rebasing: piece[offset..<min(offset + blockSize, piece.count)])
                let index = 4 * ((Int(start) + offset) / blockSize)
                let expected = (0..<4).reduce(UInt32(0)) { $0 | UInt32(checksums[index + $1]) << UInt32(8 * $1) }
                guard CRC32C.checksum(of: block) == expected else { throw .block(offset: start + UInt64(offset)) }
            }
            start += UInt64(piece.count)
        }
    }

    private static func read(
        _ file: borrowing FileDescriptor, at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(Fault) {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count: Int
            do { count = try file.read(at: offset + UInt64(done), into: rest) } catch { throw .system(error) }
            // Somebody shortens the file just now.
            guard count > 0 else { throw .size(found: offset + UInt64(done), expected: offset + UInt64(buffer.count)) }
            done += count
        }
    }

    private static func blocks(of size: UInt64) -> Int { Int((size + UInt64(blockSize) - 1) / UInt64(blockSize)) }
}
