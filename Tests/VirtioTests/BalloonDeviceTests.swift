import GuestMemory
import HostSystem
import SavedState
import Testing
import Virtio
import VirtioDevices

@Suite struct BalloonDeviceTests {
    private static let list = TestBoard.base + 0x10_0000
    private static let data = TestBoard.base + 0x20_0000
    private static let pagePoison: UInt64 = 1 << 4
    private static let pageReporting: UInt64 = 1 << 5

    /// A balloon with its driver, and 256 pages of data that the host has allocated.
    private struct Balloon {
        let device: BalloonDevice
        let board: any DriverBoard
        let queues: [GuestQueue]

        init(_ queues: [Int] = [0, 1, 2, 3, 4], features: UInt64 = TestBoard.allFeatures, onPCI: Bool = false) throws {
            device = BalloonDevice()
            board = onPCI ? try PCIBoard(device) : try TestBoard(device)
            try board.start()
            self.queues = try board.bringUp(queues: queues, size: 64, features: features)
            for page in 0..<UInt64(256) { try board.memory.store(page + 1, at: BalloonDeviceTests.data + page << 12) }
        }

        func send(_ pages: [UInt32], on index: Int = 0) throws {
            try board.memory.write(
                pages.flatMap { page in (0..<4).map { UInt8(truncatingIfNeeded: page >> (8 * $0)) } }, at: list)
            queues[index].setChain([.out(list, 4 * pages.count)])
            queues[index].publish(0)
            board.notify(index)
            #expect(try board.waitUsed(queues[index]) == (0, 0))
        }

        func report(_ ranges: [(UInt64, Int)], on index: Int) throws {
            queues[index].setChain(ranges.map { .in($0.0, $0.1) })
            queues[index].publish(0)
            board.notify(index)
            #expect(try board.waitUsed(queues[index]) == (0, 0))
        }

        /// The first words of the pages of data.
        func words(_ pages: Range<UInt64>) throws -> [UInt64] {
            try pages.map { try board.memory.load(at: data + $0 << 12) }
        }
    }

    private static func page(_ index: UInt64) -> UInt32 { UInt32((data >> 12) + index) }

    // MARK: Inflating

    @Test(arguments: [false, true]) func aPageInTheBalloonIsTheHostsAndReadsAsZero(onPCI: Bool) throws {
        let balloon = try Balloon(onPCI: onPCI)
        defer { balloon.board.stop() }
        try balloon.board.memory.store(UInt8(0), at: Self.list)
        let before = balloon.board.memory.residentSize
        // Up, down, and alone.
        try balloon.send([0, 1, 2, 9, 8, 7, 20].map(Self.page))
        #expect(try balloon.words(0..<4) == [0, 0, 0, 4])
        #expect(balloon.device.status.returned == 7 * 4096)
        // Three of the pages are there again, because they were read.
        #expect(balloon.board.memory.residentSize == before - 4 * 4096)
        #expect(try balloon.words(6..<11) == [7, 0, 0, 0, 11])
        // A page that leaves the balloon is there at the next access.
        try balloon.send([Self.page(0)], on: 1)
        try balloon.board.memory.store(UInt64(5), at: Self.data)
        #expect(try balloon.words(0..<2) == [5, 0])
    }

    @Test func aListOfManyPagesIsServedToItsEnd() throws {
        let balloon = try Balloon()
        defer { balloon.board.stop() }
        // Every page three times, with the neighbours apart.
        let once = (0..<UInt64(256)).map { Self.page($0 % 2 * 128 + $0 / 2) }
        try balloon.send(once + once.reversed() + once)
        #expect(try balloon.words(0..<256).allSatisfy { $0 == 0 })
        #expect(!balloon.board.needsReset)
    }

    @Test func pagesOutsideOfMemoryAreIgnored() throws {
        let balloon = try Balloon()
        defer { balloon.board.stop() }
        let end = UInt32((TestBoard.base + TestBoard.size) >> 12)
        let flash = UInt32(0x2000_0000 >> 12)
        try balloon.send([0, flash, .max, .max - 1, end, end + 1, end - 1, end, UInt32(TestBoard.base >> 12) - 1])
        #expect(balloon.device.status.returned == 4096)
        try balloon.send([])
        // Half a page number at the end is none.
        balloon.queues[0].setChain([.out(Self.list, 3)])
        balloon.queues[0].publish(0)
        balloon.board.notify(0)
        #expect(try balloon.board.waitUsed(balloon.queues[0]) == (0, 0))
        #expect(balloon.device.status.returned == 4096)
        #expect(!balloon.board.needsReset)
    }

    @Test func theWatchOfPagesSeesThatAPageIsGone() throws {
        let balloon = try Balloon()
        defer { balloon.board.stop() }
        let memory = balloon.board.memory
        let index = Int((Self.data - TestBoard.base) >> 12)
        for page in index..<index + 3 { memory.watch.watch(page) }
        let versions = (0..<3).map { memory.watch.version(of: index + $0) }
        try balloon.send([Self.page(0)])
        try balloon.report([(Self.data + 0x2000, 0x1000)], on: 3)
        #expect(
            (0..<3).map { memory.watch.version(of: index + $0) } == [versions[0] + 1, versions[1], versions[2] + 1])
    }

    @Test func aDriverThatGivesItsOwnRingsAwayHasToReset() throws {
        let balloon = try Balloon()
        defer { balloon.board.stop() }
        let ring = UInt32(TestBoard.base >> 12)
        try balloon.board.memory.store(ring, at: Self.list)
        for head in UInt16(0)..<3 {
            balloon.queues[0].setChain([.out(Self.list, 4)], head: head)
            balloon.queues[0].publish(head)
        }
        balloon.board.notify(0)
        try balloon.board.wait("a reset", until: { balloon.board.needsReset })
        balloon.board.status = 0
        #expect(balloon.board.status == 0)
    }

    // MARK: Free page reporting

    @Test(
        arguments: [
            (UInt64.max, 3), (.max, 4), (1 << 1 | 1 << 5, 3), (1 << 5, 2), (1 << 5, 4),
        ] as [(UInt64, Int)])
    func reportedPagesGoBackWhateverNumberTheQueueHas(features: UInt64, queue: Int) throws {
        let balloon = try Balloon(features: features)
        defer { balloon.board.stop() }
        // The whole pages of each range.
        try balloon.report(
            [(Self.data, 0x3000), (Self.data + 0x4800, 0x2800), (Self.data + 0x8001, 0x1FFE)], on: queue)
        #expect(try balloon.words(0..<10) == [0, 0, 0, 4, 5, 0, 0, 8, 9, 10])
        #expect(balloon.device.status.returned == 5 * 4096)
    }

    @Test func aDriverThatFillsFreePagesKeepsThem() throws {
        let balloon = try Balloon()
        defer { balloon.board.stop() }
        let board = try #require(balloon.board as? TestBoard)
        board.write(0x100 + 12, 0xAAAA_AAAA)
        #expect(board.read(0x100 + 12) == 0xAAAA_AAAA)
        try balloon.report([(Self.data, 0x1000)], on: 3)
        #expect(try balloon.words(0..<1) == [1])
        // A filling of zeroes is what the host's pages have.
        board.write(0x100 + 12, 0)
        try balloon.report([(Self.data, 0x1000)], on: 3)
        #expect(try balloon.words(0..<1) == [0])
    }

    @Test func aReportThatWasNotNegotiatedDoesNothing() throws {
        let balloon = try Balloon(features: ~Self.pageReporting)
        defer { balloon.board.stop() }
        try balloon.report([(Self.data, 0x1000)], on: 3)
        #expect(try balloon.words(0..<1) == [1])
    }

    // MARK: The host's wishes

    @Test func theDriverLearnsOfTheTargetAndSaysHowFarItIs() throws {
        let balloon = try Balloon()
        defer { balloon.board.stop() }
        let board = try #require(balloon.board as? TestBoard)
        #expect(board.read(0x100) == 0)
        let generation = board.read(0x0FC)
        balloon.device.request(3 << 20)
        try board.wait("an interrupt", until: { board.line.withLock(\.level) })
        #expect(board.read(0x060) == 2)
        #expect(board.read(0x0FC) == generation + 1)
        #expect(board.read(0x100) == 768)
        // Only what belongs to the driver is written.
        board.write(0x100, 5)
        board.write(0x104, 512)
        board.write(0x108, 5)
        #expect((0..<4).map { board.read(0x100 + 4 * $0) } == [768, 512, 0, 0])
        let status = balloon.device.status
        #expect((status.requested, status.actual) == (3 << 20, 2 << 20))
    }

    @Test func statisticsAreThereAndRenewedWhenTheyAreAskedFor() throws {
        let balloon = try Balloon()
        defer { balloon.board.stop() }
        func post(free: UInt64, unknown: UInt16) throws {
            let entries: [(UInt16, UInt64)] = [(5, 1000), (unknown, 77), (4, free), (3, 9)]
            let bytes = entries.flatMap { tag, value in
                (0..<2).map { UInt8(truncatingIfNeeded: tag >> (8 * $0)) }
                    + (0..<8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
            }
            try balloon.board.memory.write(bytes, at: Self.list)
            balloon.queues[2].setChain([.out(Self.list, bytes.count + 9)])
            balloon.queues[2].publish(0)
            balloon.board.notify(2)
        }
        #expect(balloon.device.status.statistics == nil)
        try post(free: 600, unknown: 4000)
        try balloon.board.wait("figures", until: { balloon.device.status.statistics?.free == 600 })
        #expect(balloon.device.status.statistics?.total == 1000)
        #expect(balloon.device.status.statistics?.minorFaults == 9)
        #expect(balloon.device.status.statistics?.available == nil)
        #expect(balloon.queues[2].deviceUsedIndex == 0)
        balloon.device.refreshStatistics()
        #expect(try balloon.board.waitUsed(balloon.queues[2]) == (0, 0))
        try post(free: 500, unknown: 0xFFFF)
        try balloon.board.wait("new figures", until: { balloon.device.status.statistics?.free == 500 })
        #expect(balloon.queues[2].deviceUsedIndex == 1)
    }

    // MARK: Lifecycle

    @Test func aRestoredBalloonHasItsTargetAndItsContents() throws {
        let balloon = try Balloon()
        balloon.device.request(1 << 20)
        let board = try #require(balloon.board as? TestBoard)
        board.write(0x104, 100)
        board.transport.pause()
        let record = try board.transport.save()
        board.transport.stop()
        let restored = BalloonDevice()
        let other = try TestBoard(restored, memory: board.memory)
        try other.transport.restore(record)
        try other.transport.start()
        defer { other.stop() }
        #expect((restored.status.requested, restored.status.actual) == (1 << 20, 100 << 12))
        #expect(throws: SavedStateError.self) {
            try BalloonDevice().restore(SavedRecord(kind: "virtio-entropy", version: 1))
        }
    }

    @Test func lentMemoryIsAskedForOnTopOfTheTargetAndIsNotSaved() throws {
        let balloon = try Balloon()
        defer { balloon.board.stop() }
        let board = try #require(balloon.board as? TestBoard)
        balloon.device.request(1 << 20)
        balloon.device.lend(2 << 20)
        #expect((balloon.device.status.requested, balloon.device.status.lent) == (3 << 20, 2 << 20))
        #expect(Array(balloon.device.configuration.prefix(4)) == [0, 3, 0, 0])
        let generation = balloon.device.configurationGeneration
        board.transport.pause()
        let record = try balloon.device.save()
        board.transport.resume()
        let restored = BalloonDevice()
        try restored.restore(record)
        #expect((restored.status.requested, restored.status.lent) == (1 << 20, 0))
        // For the driver the configuration is another one.
        #expect(restored.configurationGeneration == generation + 1)
    }

    @Test func aResetEmptiesTheBalloonAndKeepsTheTarget() throws {
        let balloon = try Balloon()
        defer { balloon.board.stop() }
        let board = try #require(balloon.board as? TestBoard)
        balloon.device.request(1 << 20)
        board.write(0x104, 100)
        board.status = 0
        try board.wait("the reset", until: { board.status == 0 })
        #expect((balloon.device.status.requested, balloon.device.status.actual) == (1 << 20, 0))
    }
}
