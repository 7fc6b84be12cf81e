/// The header of a flat RISC-V `Image` (Linux, Documentation/arch/riscv/boot-image-header.rst), little endian:
///
///     offset  size  field
///          0     8  code, or "MZ" and code
///          8     8  text_offset: where to load it, from the beginning of memory
///         16     8  image_size: bytes it occupies in memory; 0 in old kernels
///         24     8  flags: bit 0 set when the kernel is big-endian
///         32     4  version
///         48     8  magic "RISCV\0\0\0", deprecated
///         56     4  magic2 "RSC\x05"
struct RISCVImageHeader: Equatable {
    static let size = 64

    let textOffset: UInt64
    let imageSize: UInt64

    static func matches(_ header: [UInt8]) -> Bool { header.has(Array("RSC\u{5}".utf8), at: 56) }

    init(_ source: BootSource) throws(BootError) {
        let header = try source.bytes(at: 0, count: Self.size)
        let flags: UInt64 = header.littleEndian(at: 24) ?? 0
        guard flags & 1 == 0 else {
            throw .wrongArchitecture(source.item, found: "a big-endian RISC-V Image", expected: "riscv64")
        }
        textOffset = header.littleEndian(at: 8) ?? 0
        imageSize = header.littleEndian(at: 16) ?? 0
        // The boot protocol wants 2 MiB; other kernels with this header are content with whole pages.
        guard textOffset % 4096 == 0 else {
            throw .corrupt(source.item, reason: "its text offset \(hexadecimal(textOffset)) is not a multiple of 4096")
        }
    }
}
