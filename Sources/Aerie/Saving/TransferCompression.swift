internal import CZstd
internal import Glibc

/// Compresses the data of a transfer's frames (Zstandard, RFC 8878).
final class TransferCompressor {
    /// The fastest one with tables: a block takes less time than a connection of 10 Gbit/s takes for it.
    private static let level: Int32 = 1

    private let context: OpaquePointer?
    private let buffer: UnsafeMutableRawBufferPointer

    init() {
        context = ZSTD_createCCtx()
        buffer = .allocate(byteCount: ZSTD_compressBound(TransferFrame.longestData), alignment: 16)
    }

    deinit {
        ZSTD_freeCCtx(context)
        buffer.deallocate()
    }

    /// The compressed bytes, valid until the next call; nil when they would not be worth their decompression.
    func compress(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let count = ZSTD_compressCCtx(
            context, buffer.baseAddress, buffer.count, bytes.baseAddress, bytes.count, Self.level)
        guard ZSTD_isError(count) == 0, count <= bytes.count / 8 * 7 else { return nil }
        return UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }
}

/// Decompresses the data of a transfer's frames.
final class TransferDecompressor {
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: TransferFrame.longestData, alignment: 4096)

    deinit { buffer.deallocate() }

    /// The bytes, valid until the next call; nil when they are not those of a frame of Zstandard, or more than a frame of a transfer has.
    func decompress(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        let count = ZSTD_decompress(buffer.baseAddress, buffer.count, bytes.baseAddress, bytes.count)
        return ZSTD_isError(count) == 0 ? UnsafeRawBufferPointer(rebasing: buffer[..<count]) : nil
    }
}
