internal import GuestMemory

extension TranslatedPage {
    /// The page as a record (`SavedPage`); nil for one that need not be saved: without code, or not in guest memory.
    ///
    /// - Parameter base: where the code cache executes.
    func saved(in memory: GuestMemory, _ segments: borrowing CodeSegments, base: UnsafeRawPointer) -> [UInt8]? {
        if let record { return Array(record.bytes) }
        let offset = source - UnsafeRawPointer(memory.hostBase)
        guard !entries.isEmpty, !isForgotten, offset >= 0, offset < Int(memory.size) else { return nil }
        var writer = CodeFieldWriter()
        writer.put(isRelative)
        writer.put(virtual ?? 0)
        writer.put(watch != nil)
        writer.putCount(uses)
        writer.putCount(continuations.values.reduce(0) { $0 + $1.count })
        for (segment, all) in continuations {
            for continuation in all { writer.put(continuation, in: segment) }
        }
        let sources = savedSources
        writer.putCount(sources.count)
        writer.put(sources)
        writer.putCount(entries.count)
        for (offset, entry) in entries.sorted(by: { $0.key < $1.key }) {
            writer.put(UInt16(offset))
            writer.put(entry, segments, base)
        }
        writer.putCount(links.count)
        for (offset, sites) in links {
            writer.put(UInt16(offset))
            writer.putCount(sites.count)
            for site in sites { writer.put(UInt32(site)) }
        }
        writer.putCount(redirected.count)
        for (offset, older) in redirected {
            writer.put(UInt16(offset))
            writer.putCount(older.count)
            for (entry, bytes) in older {
                writer.put(entry, segments, base)
                writer.put(bytes)
            }
        }
        writeHistory(to: &writer)
        return writer.bytes
    }

    private var savedSources: [UInt8] {
        var writer = CodeFieldWriter()
        writer.putCount(parts.count)
        for (segment, part) in parts {
            writer.put(UInt8(segment))
            writer.putCount(part.bytes)
            writer.put(part.source)
        }
        return writer.bytes
    }

    private func writeHistory(to writer: inout CodeFieldWriter) {
        writer.putCount(samples.count)
        for (offset, count) in samples {
            writer.put(UInt16(offset))
            writer.putCount(count)
        }
        writer.put(refused)
        writer.put(evicted)
        writer.put(openRegion != nil)
        guard let openRegion else { return }
        writer.put(UInt16(openRegion.start))
        writer.put(UInt8(openRegion.segment))
        writer.putCount(openRegion.version)
        writer.put(openRegion.blocks)
    }

    /// A page that was saved.
    ///
    /// - Parameters:
    ///   - physical: the guest-physical page.
    ///   - source: the page in guest memory.
    ///   - round: the present round of evictions.
    convenience init(
        physical: UInt64, source: UnsafeRawPointer, _ record: SavedPage, in memory: GuestMemory, round: Int
    ) {
        self.init(
            virtual: record.isRelative ? nil : record.virtual, physical: physical, source: source, generation: 0,
            round: round, watchedIn: record.isWatched ? memory : nil)
        take(record, in: memory)
    }

    /// Has the code of a record, and none so far. The record agrees with guest memory.
    func take(_ record: SavedPage, in memory: GuestMemory) {
        uses = max(uses, record.uses)
        continuations = record.continuations
        // Nobody has watched them so far.
        for continuation in continuations.values.joined() { memory.watch.noteFollower(continuation.number) }
        self.record = record
    }

    /// Reads what is in the page's record.
    ///
    /// - Parameter base: where the code cache executes.
    func load(_ record: SavedPage, _ segments: borrowing CodeSegments, base: UnsafeRawPointer) throws(DamagedCode) {
        self.record = nil
        try record.forEachSource { (segment, size, ranges, bytes) throws(DamagedCode) in
            var (reader, source) = (CodeFieldReader(ranges), CodeSource())
            while reader.remaining > 0 { source.ranges.append(try reader.range()) }
            source.bytes = Array(bytes)
            parts[segment] = Part(bytes: size, source: source)
        }
        try record.forEachEntry(segments, base: base) { entries[$0] = $1 }
        var reader = CodeFieldReader(UnsafeRawBufferPointer(rebasing: record.bytes[record.rest...]))
        for _ in 0..<(try reader.count()) {
            let offset = try reader.offset()
            var sites: [Int] = []
            for _ in 0..<(try reader.count()) { sites.append(try reader.site(in: segments)) }
            links[offset] = sites
        }
        for _ in 0..<(try reader.count()) {
            let offset = try reader.offset()
            var older: [(entry: Entry, bytes: UInt64)] = []
            for _ in 0..<(try reader.count()) {
                let entry = try reader.entry(in: segments, base: base)
                older.append((entry, try reader.integer()))
            }
            redirected[offset] = older
        }
        try readHistory(&reader)
    }

    private func readHistory(_ reader: inout CodeFieldReader) throws(DamagedCode) {
        for _ in 0..<(try reader.count()) {
            samples[try reader.offset()] = try reader.number(below: .max)
        }
        refused = try reader.offsets()
        evicted = try reader.offsets()
        guard try reader.boolean() else { return }
        let start = try reader.offset()
        let segment = try reader.segment()
        let version = try reader.number(below: .max)
        openRegion = OpenRegion(start: start, blocks: try reader.offsets(), segment: segment, version: version)
    }
}

extension CodeFieldWriter {
    fileprivate mutating func put(
        _ entry: TranslatedPage.Entry, _ segments: borrowing CodeSegments, _ base: UnsafeRawPointer
    ) {
        put(UInt32(entry.position))
        put(UInt32(entry.record.entryCode - UInt(bitPattern: base)))
        put(UInt32(segments.number(of: entry.record, in: segments.index(of: entry.position))))
        put(entry.isRegional)
    }

    fileprivate mutating func put(_ continuation: TranslatedPage.Continuation, in segment: Int) {
        put(UInt8(segment))
        put(continuation.physical)
        put(continuation.source)
    }

    fileprivate mutating func put(_ source: CodeSource) {
        putCount(source.ranges.count)
        for range in source.ranges {
            put(UInt16(range.lowerBound))
            put(UInt16(range.upperBound))
        }
        put(source.bytes)
    }

    fileprivate mutating func put(_ offsets: Set<Int>) {
        putCount(offsets.count)
        for offset in offsets { put(UInt16(offset)) }
    }
}

extension CodeFieldReader {
    fileprivate mutating func offsets() throws(DamagedCode) -> Set<Int> {
        var offsets: Set<Int> = []
        for _ in 0..<(try count()) { offsets.insert(try offset()) }
        return offsets
    }
}
