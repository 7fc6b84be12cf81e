// Ranges of memory, little endian: 16 bytes for each range.
//
//     offset  size  field
//          0     8  offset of the first byte, a multiple of 4096
//          8     8  bytes, a multiple of 4096, more than 0
//
// Ranges ascend and do not overlap.

internal import GuestMemory
internal import SavedState

/// The parts of a memory that come after the guest has started.
package enum MissingPages {
    /// Ranges that a frame has.
    static let mostRanges = TransferFrame.longestData / rangeSize
    private static let rangeSize = 16

    static func encoded(_ ranges: some Sequence<Range<UInt64>>) -> [UInt8] {
        var bytes: [UInt8] = []
        for range in ranges {
            bytes += LittleEndian.bytes(range.lowerBound) + LittleEndian.bytes(UInt64(range.count))
        }
        return bytes
    }

    /// Reads ranges of untrusted origin.
    ///
    /// - Parameters:
    ///   - start: where the ranges before have ended.
    ///   - size: bytes of the memory.
    /// - Returns: nil for what is not a list of ranges in the memory behind `start`.
    static func ranges(_ bytes: [UInt8], from start: UInt64, size: UInt64) -> [Range<UInt64>]? {
        guard bytes.count % rangeSize == 0 else { return nil }
        var position = start
        var result: [Range<UInt64>] = []
        result.reserveCapacity(bytes.count / rangeSize)
        for place in stride(from: 0, to: bytes.count, by: rangeSize) {
            let offset: UInt64 = LittleEndian.integer(bytes, at: place)
            let count: UInt64 = LittleEndian.integer(bytes, at: place + 8)
            guard offset >= position, offset <= size, count > 0, count <= size - offset,
                offset % PageSet.pageSize == 0, count % PageSet.pageSize == 0
            else { return nil }
            position = offset + count
            result.append(offset..<position)
        }
        return result
    }

    /// Ranges as whole pages within the memory.
    static func pages(_ ranges: [Range<UInt64>], size: UInt64) -> [Range<UInt64>] {
        var result: [Range<UInt64>] = []
        for range in ranges {
            let start = max(range.lowerBound / PageSet.pageSize * PageSet.pageSize, result.last?.upperBound ?? 0)
            let end = min((range.upperBound + PageSet.pageSize - 1) / PageSet.pageSize * PageSet.pageSize, size)
            if start < end { result.append(start..<end) }
        }
        return result
    }
}
