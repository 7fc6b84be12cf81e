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
    private var overlay: MemoryOverlay

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
        guard let (made, others) = memory.overlay.limited(to: mostPieces) else { return .whole }
        guard UInt64(memory.overlay.count * page) <= data / 4 * 3 else { return .whole }
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
        overlay = MemoryOverlay(over: earlier.source)
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
                overlay.insert((Int(begin) + offset) / Self.page)
            }
            position = end
        }
        return data
    }

    // MARK: Writing

    private func write(to own: borrowing FileDescriptor) throws(SystemError) {
        try own.truncate(to: whole.size)
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.step, alignment: 4096)
        defer { buffer.deallocate() }
        for run in overlay.runs() {
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
