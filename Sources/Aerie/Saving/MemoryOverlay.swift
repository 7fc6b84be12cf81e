internal import GuestMemory

/// The pages that a new memory has in a file of its own, above an earlier memory, and the map of both.
struct MemoryOverlay {
    /// Gaps of so many pages between pages of the new file are stored, too: a mapping costs more than they do.
    private static let smallGap = 3
    private static let page = Int(SavedMachineFile.pageSize)

    private let earlier: MemorySource
    private let pages: Int
    private var own: PageSet

    init(over earlier: MemorySource) {
        self.earlier = earlier
        pages = Int(earlier.size) / Self.page
        own = PageSet(size: earlier.size)
    }

    /// The number of pages in the new file.
    var count: Int { Int(own.count) }

    func contains(_ page: Int) -> Bool { own.contains(UInt64(page)) }

    mutating func insert(_ page: Int) { own.insert(UInt64(page)) }

    /// The map, with gaps closed until it has few enough pieces, and the numbers that the map's files 1 and up have in the earlier memory; nil
    /// when there are too many pieces or files all the same.
    mutating func limited(to mostPieces: Int = MemoryMap.mostPieces) -> (MemoryMap, others: [Int])? {
        var gap = Self.smallGap
        while gap < 4 * pages {
            closeGaps(upTo: gap)
            let pieces = pieces()
            gap *= 4
            guard pieces.count <= mostPieces else { continue }
            let others = Set(pieces.map(\.file)).subtracting([0]).sorted()
            guard others.count < MemoryMap.mostFiles else { return nil }
            var numbers = [0: 0]
            for (index, file) in others.enumerated() { numbers[file] = index + 1 }
            let renumbered = pieces.map { MemorySource.Piece(range: $0.range, file: numbers[$0.file]!) }
            return (MemoryMap(files: 1 + others.count, pieces: renumbered), others.map { $0 - 1 })
        }
        // The earlier memory has nearly as many pieces as there may be.
        return nil
    }

    /// Adds the pages of short gaps between pages of the new file.
    private mutating func closeGaps(upTo limit: Int) {
        var end: Int?
        for run in runs() {
            if let end, run.lowerBound - end <= limit {
                for page in end..<run.lowerBound { insert(page) }
            }
            end = run.upperBound
        }
    }

    /// The ranges of pages in the new file, ascending.
    func runs() -> [Range<Int>] { own.runs.map { Int($0.lowerBound)..<Int($0.upperBound) } }

    /// The pieces of the new memory. File 0 is the new one; file `n` of the earlier memory is `n + 1`.
    private func pieces() -> [MemorySource.Piece] {
        var result: [MemorySource.Piece] = []
        func append(_ range: Range<UInt64>, _ file: Int) {
            guard !range.isEmpty else { return }
            if let last = result.last, last.file == file {
                result[result.count - 1] = .init(range: last.range.lowerBound..<range.upperBound, file: file)
            } else {
                result.append(.init(range: range, file: file))
            }
        }
        let old = earlier.pieces
        var index = 0
        /// Adds what the earlier memory has from the end of the result to `end`.
        func appendOld(to end: UInt64) {
            var start = result.last?.range.upperBound ?? 0
            while start < end {
                while old[index].range.upperBound <= start { index += 1 }
                let stop = min(end, old[index].range.upperBound)
                append(start..<stop, old[index].file + 1)
                start = stop
            }
        }
        for run in runs() {
            appendOld(to: UInt64(run.lowerBound * Self.page))
            append(UInt64(run.lowerBound * Self.page)..<UInt64(run.upperBound * Self.page), 0)
        }
        appendOld(to: earlier.size)
        return result
    }
}
