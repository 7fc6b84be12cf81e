internal import Glibc

/// Bytes of a page that code was made from.
struct CodeSource {
    var ranges: [Range<Int>] = []
    /// Of all ranges, one after the other.
    var bytes: [UInt8] = []

    init() {}

    /// - Parameter page: all of its bytes.
    init(_ ranges: [Range<Int>], of page: UnsafeRawPointer) { append(ranges, of: page) }

    mutating func append(_ ranges: [Range<Int>], of page: UnsafeRawPointer) {
        self.ranges += ranges
        for range in ranges { bytes += UnsafeRawBufferPointer(start: page + range.lowerBound, count: range.count) }
    }

    mutating func append(_ other: CodeSource) {
        ranges += other.ranges
        bytes += other.bytes
    }

    mutating func removeAll() {
        ranges.removeAll()
        bytes.removeAll()
    }

    /// Whether a page has these bytes.
    func agrees(with page: UnsafeRawPointer) -> Bool {
        bytes.withUnsafeBytes { bytes in
            guard var known = bytes.baseAddress else { return true }
            for range in ranges {
                if memcmp(page + range.lowerBound, known, range.count) != 0 { return false }
                known += range.count
            }
            return true
        }
    }
}
