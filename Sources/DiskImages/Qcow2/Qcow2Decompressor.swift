internal import CZlib
internal import CZstd
internal import HostSystem
internal import Synchronization

/// Reads compressed clusters, of which it keeps the last: guests read a cluster in pieces.
final class Qcow2Decompressor: Sendable {
    private struct Cluster {
        var data: Qcow2Content.CompressedData?
        var bytes: [UInt8] = []
    }

    private let clusterSize: Int
    private let compression: Qcow2Header.Compression
    private let path: String
    private let last = Mutex(Cluster())

    init(_ header: Qcow2Header, path: String) {
        clusterSize = Int(header.geometry.clusterSize)
        compression = header.compression
        self.path = path
    }

    /// Fills `buffers` with the bytes of a cluster from `start` on.
    func read(
        _ data: Qcow2Content.CompressedData, from start: Int, into buffers: IOBuffers, of file: Qcow2File
    ) throws(DiskImageError) {
        let kept = last.withLock { $0.data == data ? $0.bytes : nil }
        let bytes: [UInt8]
        if let kept {
            bytes = kept
        } else {
            // The last cluster of a file may end before its last sector does.
            let count = Int(min(UInt64(data.count), file.end - data.offset))
            bytes = try decompressed(try file.bytes(at: data.offset, count: count), at: data.offset)
            last.withLock { $0 = Cluster(data: data, bytes: bytes) }
        }
        bytes.withUnsafeBytes {
            buffers.fill(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + buffers.count]))
        }
    }

    private func decompressed(_ input: [UInt8], at offset: UInt64) throws(DiskImageError) -> [UInt8] {
        var output = [UInt8](repeating: 0, count: clusterSize)
        let isWhole =
            switch compression {
            case .zlib: Self.inflate(input, &output)
            case .zstd: Self.decodeZstd(input, &output)
            }
        guard isWhole else {
            throw .damaged(path: path, found: "the compressed cluster at offset \(offset) cannot be decompressed")
        }
        return output
    }

    /// Inflates a raw Deflate stream, which other bytes may follow.
    private static func inflate(_ input: [UInt8], _ output: inout [UInt8]) -> Bool {
        var stream = z_stream()
        // Negative: without a wrapper. 15 bits of window read every window.
        guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return false
        }
        defer { inflateEnd(&stream) }
        return input.withUnsafeBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
                stream.avail_in = uInt(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = uInt(target.count)
                let status = CZlib.inflate(&stream, Z_FINISH)
                // A stream that ends where the cluster is full may have its end mark still to read.
                return (status == Z_STREAM_END || status == Z_BUF_ERROR) && stream.avail_out == 0
            }
        }
    }

    private static func decodeZstd(_ input: [UInt8], _ output: inout [UInt8]) -> Bool {
        guard let stream = ZSTD_createDStream() else { return false }
        defer { ZSTD_freeDStream(stream) }
        return input.withUnsafeBytes { source in
            output.withUnsafeMutableBytes { target in
                var from = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
                var to = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
                while to.pos < to.size {
                    let (read, written) = (from.pos, to.pos)
                    let result = ZSTD_decompressStream(stream, &to, &from)
                    if ZSTD_isError(result) != 0 { return false }
                    // Neither input nor output moves: the data end too early.
                    if from.pos == read && to.pos == written { return false }
                }
                return true
            }
        }
    }
}
