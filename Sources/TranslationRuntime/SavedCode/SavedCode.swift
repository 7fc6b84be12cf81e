internal import Glibc
internal import HostSystem
internal import SavedState

/// The pages with code in a file.
///
/// They begin with the code cache's segments (number, position and records of each, 4 bytes each), the segment of each stream (1 byte, 255
/// for none), and the number of records (4). A table has, for each record, by their addresses: the guest-physical page (8), and where the record
/// begins behind the table (4) and ends (4).
final class SavedCode {
    private let header: SavedCodeHeader
    private let pages: Mapping
    private let table: UnsafeRawBufferPointer
    /// What the table's places count from.
    private let records: UnsafeRawBufferPointer
    let fills: [CodeSegments.Fill]
    let streams: [Int?]

    private static let tableEntrySize = 16

    /// - Parameters:
    ///   - file: stays the caller's.
    ///   - expected: the origin of code that can be used here; nil for any.
    ///   - isMapped: false reads the records into memory of this process: a jailed machine must map no files.
    /// - Throws: `DamagedCode` also for a file of another origin.
    init(_ file: borrowing FileDescriptor, _ expected: SavedCodeHeader.Origin?, isMapped: Bool = true) throws {
        let found = try SavedCodeHeader(of: file)
        let origin = expected ?? found.origin
        header = found
        // What is mapped is there, as far as the file's size says.
        guard found.origin == origin, found.pagesOffset >= SavedCodeHeader.codeOffset + origin.capacity,
            found.pagesOffset % SavedCodeHeader.codeOffset == 0, found.pagesSize > 0,
            try file.size() >= UInt64(found.pagesOffset + found.pagesSize)
        else { throw DamagedCode() }
        pages = try isMapped ? Self.map(found, of: file) : Self.read(found, of: file)
        let bytes = UnsafeRawBufferPointer(start: pages.address, count: found.pagesSize)
        guard CRC32C.checksum(of: bytes) == found.pagesChecksum else { throw DamagedCode() }
        var reader = CodeFieldReader(bytes)
        (fills, streams) = try Self.readSegments(&reader)
        table = try reader.bytes(try reader.count() * Self.tableEntrySize)
        records = try reader.bytes(reader.remaining)
    }

    private static func map(
        _ header: SavedCodeHeader, of file: borrowing FileDescriptor
    ) throws(SystemError) -> Mapping {
        try Mapping(
            count: header.pagesSize, protection: PROT_READ, flags: MAP_PRIVATE, descriptor: file.rawValue,
            offset: UInt64(header.pagesOffset))
    }

    private static func read(
        _ header: SavedCodeHeader, of file: borrowing FileDescriptor
    ) throws(SystemError) -> Mapping {
        let mapping = try Mapping(count: header.pagesSize, flags: MAP_PRIVATE | MAP_ANONYMOUS)
        let bytes = UnsafeMutableRawBufferPointer(start: mapping.address, count: header.pagesSize)
        _ = try file.read(at: UInt64(header.pagesOffset), into: bytes)
        return mapping
    }

    private static func readSegments(
        _ reader: inout CodeFieldReader
    ) throws(DamagedCode) -> ([CodeSegments.Fill], [Int?]) {
        var fills: [CodeSegments.Fill] = []
        for _ in 0..<CodeSegments.count {
            fills.append(
                CodeSegments.Fill(
                    number: try reader.number(below: .max), position: try reader.number(below: .max),
                    recordCount: try reader.number(below: .max)))
        }
        var streams: [Int?] = []
        for _ in CodeSegments.Stream.allCases {
            let index = try reader.integer(UInt8.self)
            streams.append(index == .max ? nil : Int(index))
        }
        return (fills, streams)
    }

    /// Whether the code in the file is what was written. All of it is read.
    func isIntact(in file: borrowing FileDescriptor) throws -> Bool {
        var (crc, buffer) = (CRC32C(), [UInt8](repeating: 0, count: 1 << 20))
        for (index, fill) in fills.enumerated() {
            let start = CodeSegments.start(
                of: index, capacity: header.origin.capacity, firstBlock: header.origin.sharedSize)
            guard start <= fill.position, fill.position <= header.origin.capacity else { return false }
            for position in stride(from: start, to: fill.position, by: buffer.count) {
                let count = min(buffer.count, fill.position - position)
                let found = try buffer.withUnsafeMutableBytes { bytes in
                    try file.read(
                        at: UInt64(SavedCodeHeader.codeOffset + position),
                        into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]))
                }
                crc.update(buffer[..<found])
            }
        }
        return crc.checksum == header.codeChecksum
    }

    /// Copies a file into an empty one. False when it is damaged.
    static func copy(_ file: borrowing FileDescriptor, to target: borrowing FileDescriptor) throws(SystemError) -> Bool
    {
        guard let code = try? SavedCode(file, nil, isMapped: false) else { return false }
        let origin = code.header.origin
        for (index, fill) in code.fills.enumerated() {
            let start = CodeSegments.start(of: index, capacity: origin.capacity, firstBlock: origin.sharedSize)
            guard start <= fill.position, fill.position <= origin.capacity else { return false }
            try copy(start..<fill.position, of: file, to: target)
        }
        try target.writeAll(
            at: UInt64(code.header.pagesOffset),
            UnsafeRawBufferPointer(start: code.pages.address, count: code.header.pagesSize))
        // Last: a file without it is none.
        try target.writeAll(at: 0, code.header.encoded)
        return true
    }

    /// Copies the code at some positions.
    private static func copy(
        _ positions: Range<Int>, of file: borrowing FileDescriptor, to target: borrowing FileDescriptor
    ) throws(SystemError) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        for position in stride(from: positions.lowerBound, to: positions.upperBound, by: buffer.count) {
            let offset = UInt64(SavedCodeHeader.codeOffset + position)
            let part = buffer[..<min(buffer.count, positions.upperBound - position)]
            let count = try file.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: part))
            try target.writeAll(at: offset, UnsafeRawBufferPointer(rebasing: buffer[..<count]))
        }
    }

    // MARK: Looking up

    private var count: Int { table.count / Self.tableEntrySize }

    private func physical(_ index: Int) -> UInt64 {
        UInt64(littleEndian: table.loadUnaligned(fromByteOffset: index * Self.tableEntrySize, as: UInt64.self))
    }

    private func record(_ index: Int) -> UnsafeRawBufferPointer? {
        let place = index * Self.tableEntrySize + 8
        let start = Int(UInt32(littleEndian: table.loadUnaligned(fromByteOffset: place, as: UInt32.self)))
        let end = Int(UInt32(littleEndian: table.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self)))
        guard start <= end, end <= records.count else { return nil }
        return UnsafeRawBufferPointer(rebasing: records[start..<end])
    }

    /// The guest-physical addresses of all pages.
    var physicalPages: Set<UInt64> { Set((0..<count).map(physical)) }

    /// The records of a guest-physical page: none, one or two. The bytes are there as long as this object.
    func records(of address: UInt64) -> [UnsafeRawBufferPointer] {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if physical(middle) < address { low = middle + 1 } else { high = middle }
        }
        return (low..<min(low + 2, count)).filter { physical($0) == address }.compactMap(record)
    }

    // MARK: Writing

    /// Records to be written.
    struct Records {
        private var pages: [(physical: UInt64, bytes: [UInt8])] = []

        var isEmpty: Bool { pages.isEmpty }

        mutating func add(_ physical: UInt64, _ bytes: [UInt8]) { pages.append((physical, bytes)) }

        /// All that stands in the file's pages.
        func encoded(_ segments: borrowing CodeSegments) -> [UInt8] {
            var writer = CodeFieldWriter()
            for fill in segments.fills {
                writer.putCount(fill.number)
                writer.putCount(fill.position)
                writer.putCount(fill.recordCount)
            }
            for index in segments.streams { writer.put(index.map { UInt8($0) } ?? .max) }
            writer.putCount(pages.count)
            let ordered = pages.sorted { $0.physical < $1.physical }
            var position = 0
            for page in ordered {
                writer.put(page.physical)
                writer.putCount(position)
                position += page.bytes.count
                writer.putCount(position)
            }
            for page in ordered { writer.put(page.bytes) }
            return writer.bytes
        }
    }
}
