internal import Glibc
internal import HostSystem
internal import SavedState

/// The pages with code in a file.
///
/// They begin with the code cache's segments (number, position and records of each, 4 bytes each), the segment of each stream (1 byte, 255
/// for none), and the number of records (4). A table has, for each record, by their addresses: the guest-physical page (8), where the record
/// begins behind the table (4) and ends (4), and the imprint of the page's contents (4), 0 where it is not known.
///
/// Of one guest-physical page there may be several records: for two virtual pages, and of other contents that it once had. A record belongs to one
/// `TranslatedPage` at a time. It can be used again when that has forgotten it, unless its code was changed.
final class SavedCode {
    private let header: SavedCodeHeader
    private let pages: Mapping
    private let isMapped: Bool
    private let table: UnsafeRawBufferPointer
    /// What the table's places count from.
    private let records: UnsafeRawBufferPointer
    let fills: [CodeSegments.Fill]
    let streams: [Int?]

    private static let tableEntrySize = 20
    /// They are of another machine, which has booted the same guest.
    var isForBoot = false
    /// The pages that have records, by the records' numbers.
    private var holders: [TranslatedPage?]
    /// Records whose code may have been changed, or that are damaged, by their numbers.
    private var spent: [Bool]
    /// The numbers of records by the imprint of their page's contents; nil until somebody asks for it.
    private var byImprint: [UInt32: [Int]]?

    /// - Parameters:
    ///   - file: stays the caller's.
    ///   - expected: the origin of code that can be used here; nil for any.
    ///   - isMapped: false reads the records into memory of this process: a jailed machine must map no files.
    /// - Throws: `DamagedCode` also for a file of another origin.
    init(_ file: borrowing FileDescriptor, _ expected: SavedCodeHeader.Origin?, isMapped: Bool = true) throws {
        let found = try SavedCodeHeader(of: file)
        let origin = expected ?? found.origin
        header = found
        self.isMapped = isMapped
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
        let count = try reader.count()
        table = try reader.bytes(count * Self.tableEntrySize)
        holders = Array(repeating: nil, count: count)
        spent = Array(repeating: false, count: count)
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

    /// Whether less than half of the code cache is used.
    var hasMuchRoom: Bool {
        let capacity = header.origin.capacity
        let used = fills.enumerated().reduce(0) { sum, fill in
            let start = CodeSegments.start(of: fill.offset, capacity: capacity, firstBlock: header.origin.sharedSize)
            return sum + max(0, fill.element.position - start)
        }
        return used < capacity / 2
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

    private func imprint(_ index: Int) -> UInt32 {
        UInt32(littleEndian: table.loadUnaligned(fromByteOffset: index * Self.tableEntrySize + 16, as: UInt32.self))
    }

    /// Finds records that may be for a page: those of its address, then those of its contents that were saved at other addresses.
    ///
    /// - Parameter body: takes a record, with its number, and whether it was saved at another address. It returns whether the record is for the page.
    ///   The bytes are there as long as this object.
    func findRecords(
        of address: UInt64, _ page: UnsafeRawPointer,
        _ body: (_ number: Int, _ bytes: UnsafeRawBufferPointer, _ isMoved: Bool) -> Bool
    ) {
        var isFound = false
        for number in numbers(of: address) where isFree(number) {
            if let bytes = record(number), body(number, bytes, false) { isFound = true }
        }
        if isFound { return }
        for number in numbers(ofImprint: Self.imprint(of: page)) where isFree(number) {
            if let bytes = record(number) { _ = body(number, bytes, true) }
        }
    }

    private func numbers(of address: UInt64) -> Range<Int> {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if physical(middle) < address { low = middle + 1 } else { high = middle }
        }
        let end = (low..<count).first { physical($0) != address } ?? count
        return low..<end
    }

    private func numbers(ofImprint wanted: UInt32) -> [Int] {
        if let byImprint { return byImprint[wanted] ?? [] }
        var all: [UInt32: [Int]] = [:]
        for number in 0..<count where imprint(number) != 0 { all[imprint(number), default: []].append(number) }
        byImprint = all
        return all[wanted] ?? []
    }

    /// A checksum of a page's contents, which is not 0. Pages with equal ones may differ.
    static func imprint(of page: UnsafeRawPointer) -> UInt32 {
        max(1, CRC32C.checksum(of: UnsafeRawBufferPointer(start: page, count: TranslatedPage.size)))
    }

    // MARK: Who has a record

    private func isFree(_ number: Int) -> Bool {
        if spent[number] { return false }
        guard let holder = holders[number] else { return true }
        return holder.isForgotten || holder.record?.number != number
    }

    /// Whether a page has had a record.
    func wasGiven(_ number: Int) -> Bool { holders[number] != nil }

    /// A page has a record now.
    func give(_ number: Int, to page: TranslatedPage) { holders[number] = page }

    /// The code of a record may be changed from now on, or it is damaged: no other page gets it.
    func spend(_ number: Int) { spent[number] = true }

    /// Nothing is used any more, and all code is as it was saved.
    func takeBack() {
        holders = Array(repeating: nil, count: count)
        spent = Array(repeating: false, count: count)
    }

    /// Lets the host take the records' memory, which is read from the file again. Records in memory of this process stay.
    func releaseMemory() {
        if isMapped { madvise(pages.address, header.pagesSize, MADV_DONTNEED) }
    }

    /// All records that no page has, and that can be used.
    func forEachFree(_ body: (_ physical: UInt64, _ imprint: UInt32, _ bytes: UnsafeRawBufferPointer) -> Void) {
        for number in 0..<count where isFree(number) {
            if let bytes = record(number) { body(physical(number), imprint(number), bytes) }
        }
    }

    // MARK: Writing

    /// Records to be written.
    struct Records {
        private var pages: [(physical: UInt64, imprint: UInt32, bytes: [UInt8])] = []

        var isEmpty: Bool { pages.isEmpty }

        /// - Parameter imprint: of the page's contents, for which the code is; 0 where it is not known.
        mutating func add(_ physical: UInt64, imprint: UInt32, _ bytes: [UInt8]) {
            pages.append((physical, imprint, bytes))
        }

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
                writer.put(page.imprint)
            }
            for page in ordered { writer.put(page.bytes) }
            return writer.bytes
        }
    }
}
