internal import CZlib

/// Decompresses gzip members (RFC 1952) one after the other; what follows the last one is ignored, as gzip does.
func inflateGzip(_ input: inout CompressedInput, into output: inout DecompressedOutput) throws(BootError) {
    let item = output.item
    var stream = z_stream()
    // 15 bits of window, and 16 more for the gzip wrapper alone.
    guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
        throw .unreadable(item, reason: "zlib cannot be set up")
    }
    defer { inflateEnd(&stream) }
    while true {
        let data = try input.available()
        guard !data.isEmpty else { throw .truncated(item, needed: nil, found: input.source.size) }
        let target = output.chunk
        stream.next_in = data.baseAddress?.assumingMemoryBound(to: Bytef.self)
        stream.avail_in = uInt(data.count)
        stream.next_out = target.baseAddress?.assumingMemoryBound(to: Bytef.self)
        stream.avail_out = uInt(target.count)
        let status = inflate(&stream, Z_NO_FLUSH)
        input.consume(data.count - Int(stream.avail_in))
        try output.append(target.count - Int(stream.avail_out))
        switch status {
        case Z_STREAM_END:
            guard try input.begins(with: [[0x1F, 0x8B]]) else { return }
            inflateReset(&stream)
        case Z_OK, Z_BUF_ERROR: continue
        default:
            let reason = stream.msg.map { String(cString: $0) } ?? "zlib reports \(status)"
            throw .corruptCompression(item, method: "gzip", reason: reason)
        }
    }
}
