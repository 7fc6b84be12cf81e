/// How a kernel is compressed, by the magic number at its beginning.
enum Compression: String {
    case gzip, zstd, bzip2, lzma, xz, lzo, lz4

    init?(header: [UInt8]) {
        let magics: [(Compression, [UInt8])] = [
            (.gzip, [0x1F, 0x8B]), (.zstd, [0x28, 0xB5, 0x2F, 0xFD]), (.bzip2, Array("BZh".utf8)),
            (.xz, [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0]), (.lzma, [0x5D, 0, 0]),
            (.lzo, [0x89, 0x4C, 0x5A, 0x4F]), (.lz4, [0x02, 0x21, 0x4C, 0x18]), (.lz4, [0x04, 0x22, 0x4D, 0x18]),
        ]
        guard let found = magics.first(where: { header.has($0.1, at: 0) }) else { return nil }
        self = found.0
    }

    /// Whether `decompress` knows it.
    var isSupported: Bool { self == .gzip || self == .zstd }

    /// Decompresses `count` bytes at `offset` of `source`; never more than `limit` bytes.
    func decompress(
        _ source: BootSource, offset: UInt64, count: UInt64, limit: UInt64
    ) throws(BootError) -> [UInt8] {
        try source.check(offset: offset, count: count)
        var input = CompressedInput(source: source, offset: offset, remaining: count)
        var output = DecompressedOutput(item: source.item, limit: limit)
        switch self {
        case .gzip: try inflateGzip(&input, into: &output)
        case .zstd: try decodeZstd(&input, into: &output)
        default: throw .unsupportedCompression(source.item, method: rawValue)
        }
        return output.bytes
    }
}

/// Compressed data, taken from its source a chunk at a time.
struct CompressedInput: ~Copyable {
    let source: BootSource
    private var offset: UInt64
    private var remaining: UInt64
    private let chunk: UnsafeMutableRawBufferPointer
    private var position = 0
    private var filled = 0

    init(source: BootSource, offset: UInt64, remaining: UInt64) {
        self.source = source
        self.offset = offset
        self.remaining = remaining
        chunk = .allocate(byteCount: 1 << 17, alignment: 16)
    }

    deinit { chunk.deallocate() }

    /// What is read and not yet consumed; empty only at the end of the data.
    mutating func available() throws(BootError) -> UnsafeMutableRawBufferPointer {
        if position == filled && remaining > 0 {
            position = 0
            filled = 0
            try fill()
        }
        return UnsafeMutableRawBufferPointer(rebasing: chunk[position..<filled])
    }

    mutating func consume(_ count: Int) { position += count }

    /// Whether the unconsumed data begins with one of `magics`.
    mutating func begins(with magics: [[UInt8]]) throws(BootError) -> Bool {
        // A magic number may straddle two chunks.
        chunk.copyMemory(from: UnsafeRawBufferPointer(rebasing: chunk[position..<filled]))
        filled -= position
        position = 0
        try fill()
        let unconsumed = UnsafeRawBufferPointer(rebasing: chunk[..<filled])
        return magics.contains { unconsumed.starts(with: $0) }
    }

    private mutating func fill() throws(BootError) {
        let count = min(remaining, UInt64(chunk.count - filled))
        try source.read(at: offset, into: .init(rebasing: chunk[filled..<filled + Int(count)]))
        filled += Int(count)
        offset += count
        remaining -= count
    }
}

/// What was decompressed so far, within a limit.
struct DecompressedOutput: ~Copyable {
    let item: BootItem
    let limit: UInt64
    private(set) var bytes: [UInt8] = []
    /// Where a decoder writes before `append`.
    let chunk: UnsafeMutableRawBufferPointer

    init(item: BootItem, limit: UInt64) {
        self.item = item
        self.limit = limit
        chunk = .allocate(byteCount: 1 << 18, alignment: 16)
    }

    deinit { chunk.deallocate() }

    /// Takes over the first `count` bytes of the chunk.
    mutating func append(_ count: Int) throws(BootError) {
        guard UInt64(bytes.count) + UInt64(count) <= limit else { throw .decompressesTooLarge(item, limit: limit) }
        bytes.append(contentsOf: chunk[..<count])
    }
}
