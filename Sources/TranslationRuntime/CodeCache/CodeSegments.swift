internal import HostSystem
internal import Translator

/// The code cache's parts. Code of one kind goes to one part until that is full, then to a free one; a part is freed as a whole.
struct CodeSegments: ~Copyable {
    /// Code that is kept apart, because it is made by another thread or lives longer.
    enum Stream: Int, CaseIterable {
        /// Baseline code of pages that are used often, and of all others.
        case frequent
        case other
        case regions
    }

    private struct Segment {
        let start: Int
        let end: Int
        /// Room for records of entries, as `CodeEntry` describes them.
        let records: UnsafeMutableRawPointer
        /// Where the next code goes.
        var position: Int
        var recordCount = 0
        /// The records that are reserved for adopted code, the first ones; nil where there is none.
        var adopted: AdoptedRecords?
        /// When it was last taken, in segments taken so far; nil when it is free.
        var number: Int?
    }

    /// What is saved of a segment.
    struct Fill: Equatable {
        /// When it was taken, in segments taken so far; 0 when it is free.
        var number: Int
        /// Where its code ends.
        var position: Int
        var recordCount: Int
    }

    /// A free range of a segment.
    struct Place {
        let position: Int
        let end: Int
        /// Nothing else is in the segment.
        let isWhole: Bool
    }

    static let count = 16
    private static let recordSize = HelperRecord.size + 8
    /// A block with all that belongs to it is larger, as a rule; with smaller ones a segment is full a little earlier.
    private static let bytesPerRecord = 128

    private var segments: [Segment] = []
    private var current: [Int?] = Array(repeating: nil, count: Stream.allCases.count)
    private var taken = 0
    /// Bytes of code that were generated or adopted so far.
    private(set) var generated = 0
    private let size: Int
    private let recordCapacity: Int
    private let entryRecord: HelperRecord

    /// - Parameters:
    ///   - capacity: of the code cache.
    ///   - firstBlock: the end of the code that all blocks share.
    ///   - entryRecord: by which the front end's interpreter enters generated code.
    init(capacity: Int, firstBlock: Int, entryRecord: HelperRecord) {
        self.entryRecord = entryRecord
        size = Self.size(capacity: capacity)
        precondition(firstBlock < size, "shared code takes little room")
        recordCapacity = size / Self.bytesPerRecord
        for index in 0..<Self.count {
            let start = Self.start(of: index, capacity: capacity, firstBlock: firstBlock)
            segments.append(
                Segment(
                    start: start, end: (index + 1) * size,
                    // Memory that is not used costs nothing.
                    records: .allocate(byteCount: recordCapacity * Self.recordSize, alignment: 16), position: start))
        }
    }

    private static func size(capacity: Int) -> Int { capacity / count & ~0xFFF }

    /// Where a segment's code begins in a cache of this capacity.
    static func start(of index: Int, capacity: Int, firstBlock: Int) -> Int {
        index == 0 ? firstBlock : index * size(capacity: capacity)
    }

    deinit {
        for segment in segments { segment.records.deallocate() }
    }

    /// The segment that a position lies in.
    func index(of position: Int) -> Int { position / size }

    /// Where code of a stream goes that has `records` entries; nil when there is no free segment.
    mutating func place(for stream: Stream, records: Int) -> Place? {
        if let index = current[stream.rawValue], recordCapacity - segments[index].recordCount < records {
            close(stream)
        }
        if current[stream.rawValue] == nil {
            guard let free = segments.indices.first(where: { segments[$0].number == nil }) else { return nil }
            taken += 1
            segments[free].number = taken
            current[stream.rawValue] = free
        }
        return current[stream.rawValue].map { index in
            let segment = segments[index]
            return Place(position: segment.position, end: segment.end, isWhole: segment.position == segment.start)
        }
    }

    /// The next code of a stream goes to another segment.
    mutating func close(_ stream: Stream) { current[stream.rawValue] = nil }

    /// Code of a stream ends at `position` now.
    mutating func extend(_ stream: Stream, to position: Int) {
        guard let index = current[stream.rawValue] else { return }
        generated += position - segments[index].position
        segments[index].position = position
    }

    /// A record that enters `code`, next to the stream's last code.
    mutating func makeRecord(_ stream: Stream, code: UInt) -> CodeEntry {
        guard let index = current[stream.rawValue] else { preconditionFailure("code has a segment") }
        precondition(segments[index].recordCount < recordCapacity, "a place has room for its records")
        segments[index].recordCount += 1
        return makeRecord(segments[index].recordCount - 1, in: segments[index], code: code)
    }

    private func makeRecord(_ number: Int, in segment: Segment, code: UInt) -> CodeEntry {
        let record = segment.records + number * Self.recordSize
        record.storeBytes(of: entryRecord.words.0, as: UInt64.self)
        record.storeBytes(of: entryRecord.words.1, toByteOffset: 8, as: UInt64.self)
        record.storeBytes(of: entryRecord.words.2, toByteOffset: 16, as: UInt64.self)
        record.storeBytes(of: code, toByteOffset: HelperRecord.size, as: UInt.self)
        return CodeEntry(record)
    }

    /// Bytes of code in all segments.
    var used: Int { segments.reduce(0) { $0 + $1.position - $1.start } }

    /// Frees all segments, and gives the memory of their records back.
    mutating func freeAll() {
        for index in segments.indices where segments[index].number != nil {
            free(index)
            clearMemory(segments[index].records, count: recordCapacity * Self.recordSize)
        }
        current = current.map { _ in nil }
    }

    var hasFree: Bool { segments.contains { $0.number == nil } }

    /// Segments that no stream writes to, those first whose code is oldest.
    var closed: [Int] {
        segments.indices.filter { segments[$0].number != nil && !current.contains($0) }
            .sorted { segments[$0].number ?? 0 < segments[$1].number ?? 0 }
    }

    mutating func free(_ index: Int) {
        segments[index].number = nil
        segments[index].position = segments[index].start
        segments[index].recordCount = 0
        segments[index].adopted = nil
    }

    // MARK: Saved code

    var fills: [Fill] {
        segments.map { Fill(number: $0.number ?? 0, position: $0.position, recordCount: $0.recordCount) }
    }

    /// The segment that each stream writes to.
    var streams: [Int?] { current }

    /// Whether a position is in code of a segment.
    func hasCode(at position: Int) -> Bool {
        let index = self.index(of: position)
        return segments.indices ~= index && code(of: index).contains(position)
    }

    /// The code of a segment.
    func code(of index: Int) -> Range<Int> { segments[index].start..<segments[index].position }

    /// Takes saved segments over. False when they are none of this cache's, which is unchanged then.
    mutating func adopt(_ fills: [Fill], _ streams: [Int?]) -> Bool {
        guard fills.count == segments.count, streams.count == current.count,
            zip(segments, fills).allSatisfy({ segment, fill in
                segment.start...segment.end ~= fill.position && 0...recordCapacity ~= fill.recordCount
                    && fill.number >= 0
            }),
            streams.allSatisfy({ index in index.map { fills.indices ~= $0 && fills[$0].number > 0 } ?? true })
        else { return false }
        for (index, fill) in fills.enumerated() where fill.number > 0 {
            segments[index].number = fill.number
            segments[index].position = fill.position
            segments[index].recordCount = fill.recordCount
            segments[index].adopted = AdoptedRecords(count: fill.recordCount)
            taken = max(taken, fill.number)
            generated += fill.position - segments[index].start
        }
        current = streams
        return true
    }

    /// The number by which a record of a segment is saved.
    func number(of record: CodeEntry, in index: Int) -> Int {
        let place = (record - UnsafeRawPointer(segments[index].records)) / Self.recordSize
        return segments[index].adopted?.number(at: place) ?? place
    }

    /// The record that enters adopted code of a segment, the same each time; nil for a number that was not saved.
    func adoptedRecord(_ number: Int, in index: Int, code: UInt) -> CodeEntry? {
        guard let place = segments[index].adopted?.place(of: number) else { return nil }
        return makeRecord(place, in: segments[index], code: code)
    }
}
