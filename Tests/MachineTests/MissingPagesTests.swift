import SavedState
import Testing

@testable import Aerie

/// The list of pages that a receiver lacks, which comes from another host.
@Suite("Lists of missing pages") struct MissingPagesTests {
    private static let size: UInt64 = 16 << 12

    private func list(_ numbers: [UInt64]) -> [UInt8] { numbers.flatMap { LittleEndian.bytes($0) } }

    @Test("A list is read as it was written, and from the end of the one before")
    func whole() {
        let ranges: [Range<UInt64>] = [0..<4096, 8192..<16384, 61440..<65536]
        #expect(MissingPages.ranges(MissingPages.encoded(ranges), from: 0, size: Self.size) == ranges)
        #expect(MissingPages.ranges(list([8192, 4096]), from: 8192, size: Self.size) == [8192..<12288])
        #expect(MissingPages.ranges([], from: 0, size: Self.size) == [])
    }

    @Test("What is no list of pages in the memory is refused")
    func refused() {
        let lists: [[UInt64]] = [
            [0, 0], [0, 100], [100, 4096], [65536, 4096], [61440, 8192], [1 << 63, 1 << 63], [4096, UInt64.max],
            [UInt64.max, 4096], [8192, 4096, 4096, 4096], [8192, 8192, 12288, 4096], [4096],
        ]
        for numbers in lists {
            #expect(MissingPages.ranges(list(numbers), from: 0, size: Self.size) == nil, "\(numbers)")
        }
        #expect(MissingPages.ranges(list([0, 4096]), from: 4096, size: Self.size) == nil)
        #expect(MissingPages.ranges([1, 2, 3], from: 0, size: Self.size) == nil)
    }

    @Test("Ranges of bytes become whole pages")
    func pages() {
        #expect(
            MissingPages.pages([100..<200, 4000..<5000, 65000..<65500], size: 65536)
                == [0..<4096, 4096..<8192, 61440..<65536])
    }
}
