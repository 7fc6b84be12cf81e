/// The header of an EFI zboot image, a compressed kernel inside an EFI program that unpacks it (Linux,
/// drivers/firmware/efi/libstub/zboot-header.S), little endian:
///
///     offset  size  field
///          0     2  "MZ"
///          4     4  "zimg"
///          8     4  payload offset in the file
///         12     4  payload size in bytes
///         24    32  name of the compression, ended by 0
///         60     4  offset of the PE header
struct EFIZbootHeader {
    static let size = 64

    let payloadOffset: UInt64
    let payloadSize: UInt64
    let compression: Compression

    static func matches(_ header: [UInt8]) -> Bool {
        header.has(Array("MZ".utf8), at: 0) && header.has(Array("zimg".utf8), at: 4)
    }

    init(_ source: BootSource) throws(BootError) {
        let header = try source.bytes(at: 0, count: Self.size)
        payloadOffset = UInt64(header.littleEndian(at: 8, as: UInt32.self) ?? 0)
        payloadSize = UInt64(header.littleEndian(at: 12, as: UInt32.self) ?? 0)
        let name = header[24..<56].prefix { $0 != 0 }
        let text = String(validating: name, as: UTF8.self) ?? ""
        guard payloadSize > 0, payloadOffset >= UInt64(Self.size), !text.isEmpty,
            text.unicodeScalars.allSatisfy({ $0.isASCII && $0.value > 32 })
        else { throw .corrupt(source.item, reason: "its EFI zboot header names no payload") }
        // The build names gzip, zstd (also as "zstd22"), lzma, xzkern, lzo and lz4.
        guard let compression = Compression(rawValue: text == "zstd22" ? "zstd" : text == "xzkern" ? "xz" : text)
        else { throw .unsupportedCompression(source.item, method: text) }
        self.compression = compression
    }
}
