internal import Glibc
internal import GuestMemory

/// The record of a page of code in a file, and what is looked up in there. All fields are little endian.
///
/// It begins with whether the code is relative (1 byte), the virtual page (8), whether the page is watched (1), how often it was of use (4), the
/// number of continuations of its regions in other pages (4), and the number of bytes of the sources (4). A continuation is the segment (1), the
/// guest-physical page (8), the number of ranges of the page (4), the ranges (2 and 2 each), and their bytes. The sources are the number of segments with
/// code of the page (4), and for each: the segment (1), bytes of code (4), the number of ranges of the guest's page that it was made from (4), the
/// ranges (2 and 2 each), and their bytes. The entries are their number (4) and, by their offsets: the offset in the page (2), positions
/// for jumps inside of the page (4) and for others (4), the number of the segment's record (4), and whether it leads to a region (1).
/// What follows is read only to change the page (`TranslatedPage.load`).
struct SavedPage {
    /// All of the record.
    let bytes: UnsafeRawBufferPointer
    /// Of the record in its file.
    let number: Int
    let isRelative: Bool
    let virtual: UInt64
    let isWatched: Bool
    let uses: Int
    /// By segment.
    let continuations: [Int: [TranslatedPage.Continuation]]
    /// Regions go on in pages that this machine does not have.
    private let isElsewhere: Bool
    private let sources: UnsafeRawBufferPointer
    private let entries: UnsafeRawBufferPointer
    /// Where the links begin.
    let rest: Int

    private static let entrySize = 15

    /// - Parameters:
    ///   - bytes: are there as long as the value.
    ///   - number: of the record in its file.
    init(_ bytes: UnsafeRawBufferPointer, number: Int, in memory: GuestMemory) throws(DamagedCode) {
        self.bytes = bytes
        self.number = number
        var reader = CodeFieldReader(bytes)
        isRelative = try reader.boolean()
        virtual = try reader.integer()
        isWatched = try reader.boolean()
        uses = try reader.number(below: .max)
        var continuations: [Int: [TranslatedPage.Continuation]] = [:]
        var isElsewhere = false
        for _ in 0..<(try reader.count()) {
            let segment = try reader.segment()
            if let continuation = try reader.continuation(in: memory) {
                continuations[segment, default: []].append(continuation)
            } else {
                isElsewhere = true
            }
        }
        self.continuations = continuations
        self.isElsewhere = isElsewhere
        sources = try reader.bytes(try reader.count())
        entries = try reader.bytes(try reader.count() * Self.entrySize)
        rest = reader.position
    }

    // MARK: Sources

    /// Whether the page, and those in which its regions go on, have the bytes that the code was made from.
    func isFor(_ page: UnsafeRawPointer) -> Bool {
        !isElsewhere && agrees(with: page) && continuations.values.allSatisfy { $0.allSatisfy(\.agrees) }
    }

    /// Whether the guest's page has the bytes that the code was made from. False for a record that is damaged.
    func agrees(with page: UnsafeRawPointer) -> Bool {
        do throws(DamagedCode) {
            var agrees = true
            try forEachSource { (_, _, ranges, bytes) throws(DamagedCode) in
                var (reader, position) = (CodeFieldReader(ranges), 0)
                while agrees, reader.remaining > 0 {
                    let range = try reader.range()
                    agrees = memcmp(page + range.lowerBound, bytes.baseAddress! + position, range.count) == 0
                    position += range.count
                }
            }
            return agrees
        } catch { return false }
    }

    /// The sources, by segments. The bytes have as many as the ranges.
    func forEachSource(
        _ body: (_ segment: Int, _ codeSize: Int, _ ranges: UnsafeRawBufferPointer, _ bytes: UnsafeRawBufferPointer)
            throws(DamagedCode) -> Void
    ) throws(DamagedCode) {
        var reader = CodeFieldReader(sources)
        for _ in 0..<(try reader.count()) {
            let segment = try reader.segment()
            let size = try reader.number(below: .max)
            let ranges = try reader.bytes(try reader.count() * 4)
            var (rangeReader, count) = (CodeFieldReader(ranges), 0)
            while rangeReader.remaining > 0 { count += try rangeReader.range().count }
            try body(segment, size, ranges, try reader.bytes(count))
        }
    }

    // MARK: Entries

    /// The entry of a block; nil where there is none, or none that can be.
    func entry(at offset: Int, _ segments: borrowing CodeSegments, base: UnsafeRawPointer) -> TranslatedPage.Entry? {
        var (low, high) = (0, entries.count / Self.entrySize)
        while low < high {
            let middle = (low + high) / 2
            let found = Int(entries.loadUnaligned(fromByteOffset: middle * Self.entrySize, as: UInt16.self))
            if found == offset {
                return try? entry(middle, segments, base).entry
            } else if found < offset {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return nil
    }

    /// All entries.
    func forEachEntry(
        _ segments: borrowing CodeSegments, base: UnsafeRawPointer,
        _ body: (_ offset: Int, _ entry: TranslatedPage.Entry) -> Void
    ) throws(DamagedCode) {
        for index in 0..<entries.count / Self.entrySize {
            let (offset, entry) = try entry(index, segments, base)
            body(offset, entry)
        }
    }

    private func entry(
        _ index: Int, _ segments: borrowing CodeSegments, _ base: UnsafeRawPointer
    ) throws(DamagedCode) -> (offset: Int, entry: TranslatedPage.Entry) {
        func field<Integer: FixedWidthInteger>(_ place: Int, _ type: Integer.Type) -> Int {
            Int(Integer(littleEndian: entries.loadUnaligned(fromByteOffset: index * Self.entrySize + place, as: type)))
        }
        let offset = field(0, UInt16.self)
        guard offset < TranslatedPage.size,
            let entry = TranslatedPage.Entry(
                position: field(2, UInt32.self), gate: field(6, UInt32.self), record: field(10, UInt32.self),
                isRegional: field(14, UInt8.self) != 0, segments, base)
        else { throw DamagedCode() }
        return (offset, entry)
    }
}

extension TranslatedPage.Entry {
    /// An entry that was saved; nil for one that cannot be.
    ///
    /// - Parameter record: the number of the segment's record.
    fileprivate init?(
        position: Int, gate: Int, record number: Int, isRegional: Bool, _ segments: borrowing CodeSegments,
        _ base: UnsafeRawPointer
    ) {
        guard segments.hasCode(at: position), segments.hasCode(at: gate),
            let record = segments.adoptedRecord(
                number, in: segments.index(of: position), code: UInt(bitPattern: base) + UInt(gate))
        else { return nil }
        self.init(record: record, position: position, isRegional: isRegional)
    }
}

// Fields of pages.
extension CodeFieldReader {
    /// - Returns: nil where the machine has no such page.
    fileprivate mutating func continuation(
        in memory: GuestMemory
    ) throws(DamagedCode) -> TranslatedPage.Continuation? {
        let physical = try integer(UInt64.self)
        guard physical % UInt64(TranslatedPage.size) == 0 else { throw DamagedCode() }
        var source = CodeSource()
        for _ in 0..<(try count()) { source.ranges.append(try range()) }
        source.bytes = Array(try bytes(source.ranges.reduce(0) { $0 + $1.count }))
        guard let page = memory.hostAddress(of: physical, count: UInt64(TranslatedPage.size)) else { return nil }
        return TranslatedPage.Continuation(
            physical: physical, number: (page - memory.hostBase) >> 12, page: UnsafeRawPointer(page), source: source)
    }

    /// An offset in a page.
    mutating func offset() throws(DamagedCode) -> Int {
        let offset = Int(try integer(UInt16.self))
        guard offset < TranslatedPage.size else { throw DamagedCode() }
        return offset
    }

    mutating func range() throws(DamagedCode) -> Range<Int> {
        let (start, end) = (Int(try integer(UInt16.self)), Int(try integer(UInt16.self)))
        guard start <= end, end <= TranslatedPage.size else { throw DamagedCode() }
        return start..<end
    }

    mutating func segment() throws(DamagedCode) -> Int {
        let segment = Int(try integer(UInt8.self))
        guard segment < CodeSegments.count else { throw DamagedCode() }
        return segment
    }

    /// A position in the code of a segment.
    mutating func site(in segments: borrowing CodeSegments) throws(DamagedCode) -> Int {
        let position = Int(try integer(UInt32.self))
        guard segments.hasCode(at: position) else { throw DamagedCode() }
        return position
    }

    mutating func entry(
        in segments: borrowing CodeSegments, base: UnsafeRawPointer
    ) throws(DamagedCode) -> TranslatedPage.Entry {
        guard
            let entry = TranslatedPage.Entry(
                position: try number(below: .max), gate: try number(below: .max), record: try number(below: .max),
                isRegional: try boolean(), segments, base)
        else { throw DamagedCode() }
        return entry
    }
}
