internal import Aerie
internal import Glibc
internal import HostSystem

/// Copies a file that somebody changes meanwhile: the first time all of it, then what has changed since.
///
/// The last copy, made while the file does not change, makes the copies equal.
final class RepeatedCopy {
    /// Takes over the bytes at an offset, or zeroes.
    typealias Store = (_ offset: UInt64, _ count: Int, _ bytes: UnsafeRawBufferPointer?) throws -> Void

    static let blockSize = 64 << 10

    private let source: FileDescriptor
    /// Of each block that is not zero in the copy.
    private var digests: [UInt64: UInt64] = [:]
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: blockSize, alignment: 4096)

    init(of path: String, followsLinks: Bool = false) throws(SystemError) {
        source = try FileDescriptor(path: path, flags: O_RDONLY | (followsLinks ? 0 : O_NOFOLLOW))
    }

    deinit { buffer.deallocate() }

    /// Of the file.
    var descriptor: Int32 { source.rawValue }

    /// Copies what differs from the copy.
    ///
    /// - Returns: the size of the file.
    func copy(_ store: Store) throws -> UInt64 {
        let size = try source.size()
        var missing = Set(digests.keys)
        var position: UInt64 = 0
        while position < size, let range = try source.nextData(from: position) {
            let first = max(range.lowerBound, position) / UInt64(Self.blockSize)
            let end = (range.upperBound + UInt64(Self.blockSize) - 1) / UInt64(Self.blockSize)
            for block in first..<max(first, end) {
                missing.remove(block)
                try copy(block, store)
            }
            position = end * UInt64(Self.blockSize)
        }
        // What was a block is a hole now.
        for block in missing {
            digests[block] = nil
            try store(block * UInt64(Self.blockSize), Self.blockSize, nil)
        }
        return size
    }

    private func copy(_ block: UInt64, _ store: Store) throws {
        let offset = block * UInt64(Self.blockSize)
        let count = try source.read(at: offset, into: buffer)
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        guard count > 0 else { return }
        let digest = Self.digest(bytes)
        guard digests.updateValue(digest, forKey: block) != digest else { return }
        try store(offset, count, bytes)
    }

    /// 64 bits that differ for blocks that differ, but for one pair in 2^64: of no use against an enemy, who could not choose both.
    private static func digest(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var value = UInt64(bytes.count) &* 0x9E37_79B9_7F4A_7C15
        let words = bytes.count / 8
        for index in 0..<words {
            value = (value ^ bytes.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)) &* 0xD6E8_FEB8_6659_FD93
            value ^= value >> 32
        }
        for byte in bytes[(8 * words)...] { value = (value ^ UInt64(byte)) &* 0xD6E8_FEB8_6659_FD93 }
        return value ^ value >> 29
    }
}
