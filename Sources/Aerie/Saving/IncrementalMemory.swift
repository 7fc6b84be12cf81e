internal import Glibc
internal import GuestMemory
package import HostSystem

/// Makes a snapshot's memory an incremental one: a file with only the pages that differ from those of an earlier snapshot, and a map.
///
/// It compares contents: no record of the guest's writes is needed, and none can be wrong. The guest runs meanwhile.
package struct IncrementalMemory {
    /// Bytes that are compared at once.
    private static let step = 1 << 20
    private static let page = Int(SavedMachineFile.pageSize)
    /// Gaps of so many pages between pages that differ are stored, too: a mapping costs more than they do.
    private static let smallGap = 3

    /// What became of the memory.
    package enum Outcome: Equatable, Sendable {
        /// The new file and the map are complete. The other files that the map needs are those of the earlier snapshot with these numbers, in
        /// the order of the map.
        case incremental(others: [Int])
        /// The memory is better kept whole: too much differs, or it would be in too many files.
        case whole
    }

    private let whole: SavedMemory
    private let earlier: SavedMemory
    /// Bit `n` is page `n`: it is in the new file.
    private var isOwn: [UInt64]
    private let pages: Int

    /// - Parameters:
    ///   - whole: the memory as it was saved, in one file.
    ///   - earlier: the memory of the earlier snapshot.
    ///   - own: an empty file for the pages that differ.
    ///   - map: an empty file for the map.
    ///   - mostPieces: of the map.
    static func make(
        whole: SavedMemory, earlier: SavedMemory, own: borrowing FileDescriptor, map: borrowing FileDescriptor,
        mostPieces: Int
    ) throws(SystemError) -> Outcome {
        guard whole.size == earlier.size else { return .whole }
        var memory = IncrementalMemory(whole: whole, earlier: earlier)
        let data = try memory.compare()
        guard let (made, others) = memory.limited(to: mostPieces) else { return .whole }
        let count = memory.isOwn.reduce(0) { $0 + $1.nonzeroBitCount }
        guard UInt64(count * page) <= data / 4 * 3 else { return .whole }
        try memory.write(to: own)
        try map.writeAll(made.encoded)
        return .incremental(others: others)
    }

    /// As above, with as many pieces as a map can have.
    package static func make(
        whole: SavedMemory, earlier: SavedMemory, own: borrowing FileDescriptor, map: borrowing FileDescriptor
    ) throws(SystemError) -> Outcome {
        try make(whole: whole, earlier: earlier, own: own, map: map, mostPieces: MemoryMap.mostPieces)
    }

    private init(whole: SavedMemory, earlier: SavedMemory) {
        self.whole = whole
        self.earlier = earlier
        pages = Int(whole.size) / Self.page
        isOwn = [UInt64](repeating: 0, count: (pages + 63) / 64)
    }

    // MARK: Comparison

    /// Finds the pages that differ.
    ///
    /// - Returns: bytes of the memory that may have other contents than zeroes.
    private mutating func compare() throws(SystemError) -> UInt64 {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 2 * Self.step, alignment: 4096)
        defer { buffer.deallocate() }
        var position: UInt64 = 0
        var data: UInt64 = 0
        while position < whole.size {
            // Where both have holes, both are zero.
            let next = [try whole.nextData(from: position), try earlier.nextData(from: position)]
            guard let start = next.compactMap({ $0?.lowerBound }).min() else { break }
            let begin = start / UInt64(Self.page) * UInt64(Self.page)
            let end = min(begin + UInt64(Self.step), whole.size)
            let count = Int(end - begin)
            let new = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            let old = UnsafeMutableRawBufferPointer(rebasing: buffer[Self.step..<(Self.step + count)])
            try whole.read(at: begin, into: new)
            try earlier.read(at: begin, into: old)
            for offset in stride(from: 0, to: count, by: Self.page) {
                let bytes = UnsafeRawBufferPointer(rebasing: new[offset..<(offset + Self.page)])
                if !bytes.isZero { data += UInt64(Self.page) }
                guard memcmp(bytes.baseAddress!, old.baseAddress! + offset, Self.page) != 0 else { continue }
                let page = (Int(begin) + offset) / Self.page
                isOwn[page / 64] |= 1 << (page % 64)
            }
            position = end
        }
        return data
    }

    // MARK: Pieces

    /// The map, with gaps closed until it has few enough pieces; nil when it has too many pieces or files all the same.
    private mutating func limited(to mostPieces: Int) -> (MemoryMap, others: [Int])? {
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
                for page in end..<run.lowerBound { isOwn[page / 64] |= 1 << (page % 64) }
            }
            end = run.upperBound
        }
    }

    /// The ranges of pages in the new file, ascending.
    private func runs() -> [Range<Int>] {
        var result: [Range<Int>] = []
        for (index, word) in isOwn.enumerated() {
            var rest = word
            while rest != 0 {
                let first = rest.trailingZeroBitCount
                let count = (~(rest >> UInt64(first))).trailingZeroBitCount
                let begin = index * 64 + first
                if let last = result.last, last.upperBound == begin {
                    result[result.count - 1] = last.lowerBound..<(begin + count)
                } else {
                    result.append(begin..<(begin + count))
                }
                rest = first + count == 64 ? 0 : rest & (UInt64.max << UInt64(first + count))
            }
        }
        return result
    }

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
        let old = earlier.source.pieces
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
        appendOld(to: whole.size)
        return result
    }

    // MARK: Writing

    private func write(to own: borrowing FileDescriptor) throws(SystemError) {
        try own.truncate(to: whole.size)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.step, alignment: 4096)
        defer { buffer.deallocate() }
        for run in runs() {
            var start = run.lowerBound * Self.page
            while start < run.upperBound * Self.page {
                let count = min(Self.step, run.upperBound * Self.page - start)
                let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
                try whole.read(at: UInt64(start), into: part)
                // A hole of the new file is zero.
                if !UnsafeRawBufferPointer(part).isZero {
                    try own.writeAll(at: UInt64(start), UnsafeRawBufferPointer(part))
                }
                start += count
            }
        }
    }
}
