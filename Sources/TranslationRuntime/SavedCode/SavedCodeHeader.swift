internal import HostSystem
internal import SavedState

/// The beginning of a file of saved code.
///
/// | offset | size | field |
/// |---|---|---|
/// | 0 | 8 | `AERIECC`, a line feed |
/// | 8 | 4 | version |
/// | 12 | 4 | bytes of the program's build ID, at most 64 |
/// | 16 | 64 | the build ID, and zeroes |
/// | 80 | 8 | the processor (`CodeGenerator.processor`) |
/// | 88 | 8 | the form of the guest's instruction set (`GuestFrontEnd.variant`) |
/// | 96 | 8 | bytes of the code cache |
/// | 104 | 4 | bytes of the shared code |
/// | 108 | 4 | CRC-32C of the shared code without the addresses in it |
/// | 112 | 8 | where the pages begin in the file |
/// | 120 | 8 | bytes of the pages |
/// | 128 | 4 | CRC-32C of the pages |
/// | 132 | 4 | CRC-32C of the code, segment by segment |
/// | 136 | 4 | CRC-32C of everything before |
///
/// Position p of the code cache is at offset 65536 + p.
struct SavedCodeHeader: Equatable {
    static let size = 140
    /// A multiple of every size of a page.
    static let codeOffset = 65536
    private static let version: UInt32 = 4
    private static let mostBuildBytes = 64

    /// Code can be used where this is the same.
    struct Origin: Equatable {
        /// Not empty, and not longer than 64 bytes.
        var build: [UInt8]
        var processor: UInt64
        var variant: UInt64
        var capacity: Int
        var sharedSize: Int
        var sharedChecksum: UInt32
    }

    var origin: Origin
    /// Where the pages begin in the file, and how many bytes they have.
    var pagesOffset: Int
    var pagesSize: Int
    var pagesChecksum: UInt32
    var codeChecksum: UInt32

    private static let magic = Array("AERIECC\n".utf8)

    var encoded: [UInt8] {
        var writer = CodeFieldWriter()
        writer.put(Self.magic)
        writer.put(Self.version)
        writer.putCount(origin.build.count)
        writer.put(origin.build + [UInt8](repeating: 0, count: Self.mostBuildBytes - origin.build.count))
        writer.put(origin.processor)
        writer.put(origin.variant)
        writer.put(UInt64(origin.capacity))
        writer.putCount(origin.sharedSize)
        writer.put(origin.sharedChecksum)
        writer.put(UInt64(pagesOffset))
        writer.put(UInt64(pagesSize))
        writer.put(pagesChecksum)
        writer.put(codeChecksum)
        writer.put(CRC32C.checksum(of: writer.bytes))
        return writer.bytes
    }

    init(_ origin: Origin, pagesOffset: Int, pagesSize: Int, pagesChecksum: UInt32, codeChecksum: UInt32) {
        self.origin = origin
        self.pagesOffset = pagesOffset
        self.pagesSize = pagesSize
        self.pagesChecksum = pagesChecksum
        self.codeChecksum = codeChecksum
    }

    init(of file: borrowing FileDescriptor) throws {
        var bytes = [UInt8](repeating: 0, count: Self.size)
        let count = try bytes.withUnsafeMutableBytes { bytes in try file.read(at: 0, into: bytes) }
        self = try bytes.withUnsafeBytes { bytes in
            try SavedCodeHeader(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
        }
    }

    init(_ bytes: UnsafeRawBufferPointer) throws(DamagedCode) {
        var reader = CodeFieldReader(bytes)
        guard try reader.bytes(Self.magic.count).elementsEqual(Self.magic), try reader.integer() == Self.version else {
            throw DamagedCode()
        }
        let buildCount = try reader.number(below: Self.mostBuildBytes + 1)
        let build = Array(try reader.bytes(Self.mostBuildBytes).prefix(buildCount))
        origin = Origin(
            build: build, processor: try reader.integer(), variant: try reader.integer(),
            capacity: try Self.size(&reader),
            sharedSize: try reader.number(below: .max), sharedChecksum: try reader.integer())
        pagesOffset = try Self.size(&reader)
        pagesSize = try Self.size(&reader)
        pagesChecksum = try reader.integer()
        codeChecksum = try reader.integer()
        let checksum = CRC32C.checksum(of: UnsafeRawBufferPointer(rebasing: bytes[..<reader.position]))
        guard try reader.integer() == checksum else { throw DamagedCode() }
    }

    private static func size(_ reader: inout CodeFieldReader) throws(DamagedCode) -> Int {
        guard let value = Int(exactly: try reader.integer(UInt64.self)), value <= 4 << 30 else { throw DamagedCode() }
        return value
    }
}
