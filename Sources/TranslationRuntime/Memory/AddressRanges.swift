/// A set of addresses that may hold more than was put into it: a few ranges, of which the nearest grow when there would be more.
struct AddressRanges {
    private struct Range {
        var first: UInt64
        var last: UInt64
    }

    private var ranges = InlineArray<8, Range>(repeating: Range(first: 0, last: 0))
    private var count = 0

    /// Adds the aligned range of `size` bytes, a power of two, that an address is in.
    mutating func insert(_ address: UInt64, size: UInt64) {
        let first = address & ~(size &- 1)
        let last = address | (size &- 1)
        var nearest = 0
        var smallestGap = UInt64.max
        for index in 0..<count {
            let range = ranges[index]
            let gap = first > range.last ? first - range.last : range.first > last ? range.first - last : 0
            if gap < smallestGap { (nearest, smallestGap) = (index, gap) }
        }
        if smallestGap <= 1 || count == ranges.count {
            ranges[nearest].first = min(ranges[nearest].first, first)
            ranges[nearest].last = max(ranges[nearest].last, last)
        } else {
            ranges[count] = Range(first: first, last: last)
            count += 1
        }
    }

    func mayContain(_ address: UInt64) -> Bool {
        for index in 0..<count where ranges[index].first <= address && address <= ranges[index].last { return true }
        return false
    }
}
