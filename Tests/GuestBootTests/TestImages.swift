import CZlib
import CZstd
import Glibc
import GuestBoot
import GuestMemory

/// Little-endian bytes of a field.
func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// `count` bytes in which no run repeats, so that a wrong offset is noticed.
func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 131 ^ $0 >> 7) }
}

extension [UInt8] {
    mutating func put(_ value: some FixedWidthInteger, at offset: Int) {
        for (index, byte) in GuestBootTests.bytes(value).enumerated() { self[offset + index] = byte }
    }

    func gzipped() -> [UInt8] {
        var stream = z_stream()
        deflateInit2_(
            &stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        defer { deflateEnd(&stream) }
        var input = self
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, uLong(count))))
        input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = uInt(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = uInt(output.count)
                _ = deflate(&stream, Z_FINISH)
            }
        }
        return Array(output.prefix(Int(stream.total_out)))
    }

    /// With a checksum, so that damage is noticed.
    func zstandard() -> [UInt8] {
        let context = ZSTD_createCCtx()
        defer { ZSTD_freeCCtx(context) }
        ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
        var output = [UInt8](repeating: 0, count: ZSTD_compressBound(count))
        let size = ZSTD_compress2(context, &output, output.count, self, count)
        return Array(output.prefix(size))
    }
}

/// A flat RISC-V Image of 64 bytes of header and a pattern.
func flatImage(
    textOffset: UInt64 = 0x20_0000, imageSize: UInt64 = 0, flags: UInt64 = 0, payload: Int = 1000
) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 64)
    header.put(textOffset, at: 8)
    header.put(imageSize, at: 16)
    header.put(flags, at: 24)
    header.replaceSubrange(48..<53, with: Array("RISCV".utf8))
    header.replaceSubrange(56..<60, with: [0x52, 0x53, 0x43, 5])
    return header + pattern(payload)
}

/// An EFI zboot image around `payload`.
func zboot(_ payload: [UInt8], compression: String, machine: UInt16 = 0x5064) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 128)
    header.replaceSubrange(0..<2, with: Array("MZ".utf8))
    header.replaceSubrange(4..<8, with: Array("zimg".utf8))
    header.put(UInt32(128), at: 8)
    header.put(UInt32(payload.count), at: 12)
    header.replaceSubrange(24..<24 + compression.utf8.count, with: Array(compression.utf8))
    header.put(UInt32(64), at: 60)
    header.replaceSubrange(64..<66, with: Array("PE".utf8))
    header.put(machine, at: 68)
    return header + payload
}

/// A 64-bit ELF file whose segments' contents follow the headers.
struct TestELF {
    struct Segment {
        var virtual: UInt64
        var physical: UInt64
        var contents: [UInt8]
        var memorySize: UInt64
        var fileSize: UInt64?
        var fileOffset: UInt64?
        var type: UInt32 = 1

        init(at address: UInt64, virtual: UInt64? = nil, _ contents: [UInt8], memorySize: UInt64? = nil) {
            self.virtual = virtual ?? address
            physical = address
            self.contents = contents
            self.memorySize = memorySize ?? UInt64(contents.count)
        }
    }

    var type: UInt16 = 2
    var machine: UInt16 = 243
    var entry: UInt64
    var segments: [Segment]

    var encoded: [UInt8] {
        var header = [UInt8](repeating: 0, count: 64)
        header.replaceSubrange(0..<7, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1])
        header.put(type, at: 16)
        header.put(machine, at: 18)
        header.put(UInt32(1), at: 20)
        header.put(entry, at: 24)
        header.put(UInt64(64), at: 32)
        header.put(UInt16(64), at: 52)
        header.put(UInt16(56), at: 54)
        header.put(UInt16(segments.count), at: 56)
        var table: [UInt8] = []
        var contents: [UInt8] = []
        for segment in segments {
            let offset = UInt64(64 + 56 * segments.count + contents.count)
            table += bytes(segment.type) + bytes(UInt32(7)) + bytes(segment.fileOffset ?? offset)
            table += bytes(segment.virtual) + bytes(segment.physical)
            table += bytes(segment.fileSize ?? UInt64(segment.contents.count)) + bytes(segment.memorySize)
            table += bytes(UInt64(4096))
            contents += segment.contents
        }
        return header + table + contents
    }
}

/// A bzImage whose setup code is two sectors long, and whose kernel is a pattern that is not said to be compressed, or
/// `payload`, which is.
func bzImage(
    version: UInt16 = 0x20F, flags: UInt16 = 1, address: UInt64 = 0x100_0000, payload: [UInt8]? = nil
) -> [UInt8] {
    var file = [UInt8](repeating: 0, count: 3 * 512) + (payload ?? pattern(5000))
    file[0x1F1] = 2
    file.put(0xAA55 as UInt16, at: 0x1FE)
    // A jump over the header, which ends at 0x26C.
    file.replaceSubrange(0x200..<0x202, with: [0xEB, 0x6A])
    file.replaceSubrange(0x202..<0x206, with: Array("HdrS".utf8))
    file.put(version, at: 0x206)
    file[0x211] = 1
    file.put(0x7FFF_FFFF as UInt32, at: 0x22C)
    file.put(0x20_0000 as UInt32, at: 0x230)
    file[0x234] = 1
    file.put(flags, at: 0x236)
    file.put(2047 as UInt32, at: 0x238)
    file.put(address, at: 0x258)
    file.put(0x10_0000 as UInt32, at: 0x260)
    if let payload {
        file.put(UInt32(payload.count), at: 0x24C)
    }
    return file
}

let dram: UInt64 = 0x8000_0000
let mebibyte: UInt64 = 1 << 20

func makeMemory(_ size: UInt64 = 8 * mebibyte) throws -> GuestMemory {
    try GuestMemory(ranges: [(base: dram, size: size)])
}

/// Boots from bytes that stand for files.
@discardableResult func load(
    kernel: [UInt8]? = nil, initrd: [UInt8]? = nil, commandLine: String? = nil, firmware: [UInt8]? = nil,
    memory: GuestMemory, deviceTree: DeviceTree = DeviceTree()
) throws -> (start: RISCVStart, placements: [BootPlacement]) {
    func source(_ role: BootItem.Role, _ path: String, _ bytes: [UInt8]?) throws -> BootSource? {
        try bytes.map { try BootSource(BootItem(role, path), bytes: $0) }
    }
    let boot = try RISCVBoot(
        kernel: source(.kernel, "k", kernel), initrd: source(.initrd, "i", initrd), commandLine: commandLine,
        firmware: source(.firmware, "f", firmware))
    return try boot.load(memory: memory, deviceTree: deviceTree)
}

/// The error with which a boot is refused; nil when it is not.
func refusal(
    kernel: [UInt8]? = nil, initrd: [UInt8]? = nil, firmware: [UInt8]? = nil, memory size: UInt64 = 8 * mebibyte
) throws -> BootError? {
    do {
        try load(kernel: kernel, initrd: initrd, firmware: firmware, memory: makeMemory(size))
        return nil
    } catch let error as BootError {
        return error
    }
}

let kernelItem = BootItem(.kernel, "k")
let firmwareItem = BootItem(.firmware, "f")
