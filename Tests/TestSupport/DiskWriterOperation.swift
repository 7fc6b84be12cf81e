/// What the program DiskWriter does in a step, by the step's number, which comes back with what a sector has.
package struct DiskWriterOperation {
    /// Sectors of the disk.
    package static let sectorCount = 4096

    package let number: Int
    package let sectors: Range<Int>
    /// Zeroes instead of data.
    package let isZero: Bool
    /// A flush follows.
    package let isFlushed: Bool

    package init(_ number: Int) {
        self.number = number
        var state = UInt64(number) &* 0x9E37_79B9_7F4A_7C15
        func next(below limit: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % limit
        }
        let start = next(below: Self.sectorCount)
        sectors = start..<min(start + 1 + next(below: next(below: 6) == 0 ? 600 : 30), Self.sectorCount)
        isZero = next(below: 4) == 0
        isFlushed = next(below: 6) == 0
    }

    /// A sector's bytes after the operation: its number and the sector's, again and again.
    package func content(of sector: Int) -> [UInt8] {
        var result: [UInt8] = []
        for _ in 0..<32 {
            withUnsafeBytes(of: UInt64(number)) { result += $0 }
            withUnsafeBytes(of: UInt64(sector)) { result += $0 }
        }
        return result
    }
}
