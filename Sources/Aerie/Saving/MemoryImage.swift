internal import Glibc
internal import GuestMemory
internal import HostSystem
internal import SavedState

/// Guest memory as a file that a machine maps: the bytes of all ranges in their order, zeroes as holes.
///
/// Each block of 64 KiB has a CRC-32C. The checksums are a part of the machine's saved state.
enum MemoryImage {
    static let blockSize = 64 << 10
    static let zeroChecksum = CRC32C.checksum(of: [UInt8](repeating: 0, count: blockSize))
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

    /// Reads a whole memory and compares it with its checksums.
    ///
    /// - Parameter checksums: those of the memory's saved state; of untrusted origin.
    static func check(_ memory: SavedMemory, size: UInt64, checksums: [UInt8]) throws(Fault) {
        guard memory.size == size, checksums.count == 4 * blocks(of: size) else {
            throw .size(found: memory.size, expected: size)
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: step, alignment: 4096)
        defer { buffer.deallocate() }
        var start: UInt64 = 0
        while start < size {
            let piece = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(step, Int(size - start))])
            do { try memory.read(at: start, into: piece) } catch { throw .system(error) }
            for offset in stride(from: 0, to: piece.count, by: blockSize) {
                let block = UnsafeRawBufferPointer(rebasing: piece[offset..<min(offset + blockSize, piece.count)])
                let index = 4 * ((Int(start) + offset) / blockSize)
                let expected: UInt32 = LittleEndian.integer(checksums, at: index)
                guard CRC32C.checksum(of: block) == expected else { throw .block(offset: start + UInt64(offset)) }
            }
            start += UInt64(piece.count)
        }
    }

    /// The number of blocks of a memory.
    static func blocks(of size: UInt64) -> Int { Int((size + UInt64(blockSize) - 1) / UInt64(blockSize)) }
}
