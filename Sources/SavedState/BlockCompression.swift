internal import CZstd

/// Compresses blocks of data, each to a frame of Zstandard (RFC 8878) of its own.
package final class BlockCompressor {
    /// The fastest one with tables: a block takes less time than a connection of 10 Gbit/s takes for it.
    private static let level: Int32 = 1

    private let context: OpaquePointer?
    private let buffer: UnsafeMutableRawBufferPointer

    /// - Parameter longest: the most bytes of a block.
    package init(longest: Int) {
        context = ZSTD_createCCtx()
        buffer = .allocate(byteCount: ZSTD_compressBound(longest), alignment: 16)
    }

    deinit {
        ZSTD_freeCCtx(context)
        buffer.deallocate()
    }

    /// Compresses a block.
    ///
    /// - Parameter most: the bytes that the frame may have. A longer one is not worth its decompression.
    /// - Returns: the frame, valid until the next call; nil for one that is too long.
    package func compress(_ block: UnsafeRawBufferPointer, most: Int) -> UnsafeRawBufferPointer? {
        let count = ZSTD_compressCCtx(
            context, buffer.baseAddress, buffer.count, block.baseAddress, block.count, Self.level)
        guard ZSTD_isError(count) == 0, count <= most else { return nil }
        return UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }
}

/// Decompresses a frame of Zstandard, of untrusted origin.
///
/// - Returns: the number of bytes; nil when the frame is damaged, or its data do not fit into the buffer.
package func decompressBlock(
    _ frame: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer
) -> Int? {
    let count = ZSTD_decompress(buffer.baseAddress, buffer.count, frame.baseAddress, frame.count)
    return ZSTD_isError(count) == 0 ? count : nil
}
