import GuestMemory
import Synchronization
import Testing

@Suite struct PageWatchTests {
    /// Memory in two ranges: pages 0 and 1 of the file lie apart from pages 2 and 3.
    private let memory: GuestMemory

    init() throws { memory = try GuestMemory(ranges: [(0x1000, 0x2000), (0x8000, 0x2000)]) }

    /// The pages whose version changes while `body` runs, all of them being watched, and how many changes were counted.
    private func changed(_ body: () throws -> Void) rethrows -> (pages: [Int], count: UInt64) {
        for page in 0..<4 { memory.watch.watch(page) }
        let versions = (0..<4).map { memory.watch.version(of: $0) }
        #expect(versions.allSatisfy { $0 % 2 == 1 })
        let count = memory.watch.changes.load(ordering: .relaxed)
        try body()
        let pages = (0..<4).filter { memory.watch.version(of: $0) != versions[$0] }
        #expect(pages.allSatisfy { !memory.watch.isWatched($0) })
        return (pages, memory.watch.changes.load(ordering: .relaxed) - count)
    }

    @Test func everyWayToWriteIsNoticedInThePagesThatItTouches() throws {
        #expect(try changed { try memory.write([1], at: 0x1FFF) } == ([0], 1))
        #expect(try changed { try memory.write([1, 2], at: 0x1FFF) } == ([0, 1], 2))
        #expect(try changed { try memory.store(UInt64(1), at: 0x8FFC) } == ([2, 3], 2))
        #expect(try changed { try memory.storeRelease(1, at: 0x9000) } == ([3], 1))
        #expect(try changed { try memory.clear(at: 0x8000, count: 0x1001) } == ([2, 3], 2))
        #expect(
            try changed { try [UInt8](repeating: 0, count: 3).withUnsafeBytes { try memory.write($0, at: 0x2FFD) } }
                == ([1], 1))
    }

    @Test func readingAndWritingNothingChangesNothing() throws {
        let result = try changed {
            _ = try memory.bytes(at: 0x1000, count: 0x2000)
            _ = try memory.load(UInt32.self, at: 0x8000)
            try memory.write([], at: 0x1000)
        }
        #expect(result == ([], 0))
    }

    @Test func aPageThatIsWatchedAgainHasAnotherVersion() throws {
        memory.watch.watch(1)
        let first = memory.watch.version(of: 1)
        memory.watch.watch(1)
        #expect(memory.watch.version(of: 1) == first)
        try memory.write([1], at: 0x2000)
        try memory.write([1], at: 0x2000)
        #expect(memory.watch.changes.load(ordering: .relaxed) == 1)
        memory.watch.watch(1)
        #expect(memory.watch.version(of: 1) == first + 2)
    }
}
