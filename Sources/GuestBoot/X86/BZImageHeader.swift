/// The setup header of an x86 `bzImage` (Linux, Documentation/arch/x86/boot.rst), little endian, at 0x1F1 of the file:
///
///     offset  size  field                              offset  size  field
///        1F1     1  sectors of setup code, 0 means 4      230     4  alignment of the kernel
///        202     4  magic "HdrS"                          234     1  whether it can be relocated
///        206     2  version of the protocol               236     2  flags: bit 0, a 64-bit entry at 0x200
///        211     1  flags: bit 0, loaded above 1 MiB;     238     4  longest command line
///                   bit 1, its addresses are random       248     4  where the compressed kernel is, in the payload
///        22C     4  highest address of the initrd         24C     4  size of the compressed kernel
///                                                         258     8  where it is best loaded
///                                                         260     4  bytes it needs there while it starts
struct BZImageHeader {
    /// Where the header is, in the file and in the zero page.
    static let offset = 0x1F1
    /// Version 2.12 is the first to tell of a 64-bit entry.
    private static let oldestVersion: UInt16 = 0x020C
    static let entryOffset: UInt64 = 0x200

    /// The header as it is, for the zero page.
    private(set) var bytes: [UInt8]
    /// Where the kernel proper begins in the file.
    let payloadOffset: UInt64
    /// Where the compressed kernel lies in the file; empty when the header does not tell.
    let compressed: (offset: UInt64, size: UInt64)
    /// A power of two, which its addresses may differ by.
    let alignment: UInt64
    let loadAddress: UInt64
    /// Bytes from `loadAddress` that the kernel uses before it reads the memory map.
    let initialSize: UInt64
    /// The last address that the initrd may have.
    let highestInitrd: UInt64
    /// Bytes without the NUL.
    let longestCommandLine: Int

    static func matches(_ header: [UInt8]) -> Bool {
        header.has([0x55, 0xAA], at: 0x1FE) && header.has(Array("HdrS".utf8), at: 0x202)
    }

    init(_ source: BootSource) throws(BootError) {
        let header = try source.prefix(0x280)
        func half(_ offset: Int) -> UInt16 { header.littleEndian(at: offset) ?? 0 }
        func word(_ offset: Int) -> UInt32 { header.littleEndian(at: offset) ?? 0 }
        let version = half(0x206)
        guard version >= Self.oldestVersion, half(0x236) & 1 != 0 else {
            throw .wrongArchitecture(
                source.item, found: "a 32-bit x86 bzImage", expected: Architecture.x86_64.name)
        }
        // The header ends where its first instruction, a short jump, leads to.
        let end = 0x202 + Int(header[0x201])
        guard end > 0x264, end <= header.count else {
            throw .corrupt(source.item, reason: "its setup header ends at \(hexadecimal(end))")
        }
        bytes = Array(header[Self.offset..<end])
        payloadOffset = (UInt64(header[Self.offset] == 0 ? 4 : header[Self.offset]) + 1) * 512
        guard payloadOffset < source.size else {
            throw .truncated(source.item, needed: payloadOffset + 1, found: source.size)
        }
        compressed = (payloadOffset + UInt64(word(0x248)), UInt64(word(0x24C)))
        alignment = UInt64(word(0x230))
        loadAddress = header.littleEndian(at: 0x258) ?? 0
        initialSize = max(UInt64(word(0x260)), source.size - payloadOffset)
        highestInitrd = UInt64(word(0x22C))
        longestCommandLine = Int(word(0x238))
    }

    /// Whether the kernel is told that its addresses are random, after which it chooses those of its memory at random too.
    var isRandomized: Bool {
        get { bytes[Self.loadFlags] & Self.randomized != 0 }
        set { bytes[Self.loadFlags] = bytes[Self.loadFlags] & ~Self.randomized | (newValue ? Self.randomized : 0) }
    }

    private static let loadFlags = 0x211 - offset
    private static let randomized: UInt8 = 1 << 1
}
