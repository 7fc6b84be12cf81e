internal import SavedState

/// The CRC-32C of each block of a memory (`MemoryImage.blockSize`), which is zero at first.
struct MemoryChecksums {
    private var values: [UInt32]

    init(size: UInt64) {
        values = [UInt32](repeating: MemoryImage.zeroChecksum, count: MemoryImage.blocks(of: size))
        let rest = Int(size % UInt64(MemoryImage.blockSize))
        if rest > 0 { values[values.count - 1] = CRC32C.checksum(of: [UInt8](repeating: 0, count: rest)) }
    }

    /// The number of blocks.
    var count: Int { values.count }

    /// The bytes of a whole block are these now.
    mutating func note(_ bytes: UnsafeRawBufferPointer, block: Int) { values[block] = CRC32C.checksum(of: bytes) }

    /// All checksums, little endian.
    var encoded: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(4 * values.count)
        for value in values { withUnsafeBytes(of: value.littleEndian) { bytes += $0 } }
        return bytes
    }
}
