internal import CZstd

/// Decompresses Zstandard frames (RFC 8878) one after the other; what follows the last one is ignored: kernel builds
/// append the decompressed size.
///
/// The window is bounded by the library's default of 128 MiB.
func decodeZstd(_ input: inout CompressedInput, into output: inout DecompressedOutput) throws(BootError) {
    let item = output.item
    guard let stream = ZSTD_createDStream() else { throw .unreadable(item, reason: "zstd cannot be set up") }
    defer { ZSTD_freeDStream(stream) }
    var pending = false
    while true {
        let data = try input.available()
        // A frame can have output left after its last input was taken.
        guard !data.isEmpty || pending else { throw .truncated(item, needed: nil, found: input.source.size) }
        var source = ZSTD_inBuffer(src: data.baseAddress, size: data.count, pos: 0)
        var target = ZSTD_outBuffer(dst: output.chunk.baseAddress, size: output.chunk.count, pos: 0)
        let result = ZSTD_decompressStream(stream, &target, &source)
        guard ZSTD_isError(result) == 0 else {
            let reason = String(cString: ZSTD_getErrorName(result))
            throw .corruptCompression(item, method: "zstd", reason: reason)
        }
        input.consume(source.pos)
        try output.append(target.pos)
        pending = target.pos == output.chunk.count
        if result == 0 {
            guard try input.begins(with: [[0x28, 0xB5, 0x2F, 0xFD]]) else { return }
            pending = false
        }
    }
}
