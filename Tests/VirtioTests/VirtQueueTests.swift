import GuestMemory
import SavedState
import Testing
import Virtio

/// The device's end of a queue, driven from the same thread.
@Suite struct VirtQueueTests {
    static let data = TestBoard.base + 0x10_0000
    static let table = TestBoard.base + 0x18_0000

    struct Pair {
        let driver: GuestQueue
        let device: VirtQueue

        init(size: UInt16, features: UInt64 = VirtioFeatures.common) throws {
            let memory = try GuestMemory(ranges: [(TestBoard.base, TestBoard.size)])
            driver = GuestQueue(memory: memory, base: TestBoard.base, size: size)
            device = try VirtQueue(
                index: 0, layout: driver.layout(), limit: 1024, memory: memory, features: features)
        }

        /// Makes `count` one-byte requests available, takes them and gives them back.
        func pass(_ count: Int = 1) throws {
            for _ in 0..<count {
                driver.setChain([.in(VirtQueueTests.data, 1)])
                driver.publish(0)
            }
            for _ in 0..<count { try device.complete(try #require(try device.pop()), written: 1) }
        }
    }

    @Test func anEmptyQueueHasNoRequest() throws {
        let pair = try Pair(size: 4)
        #expect(try pair.device.pop() == nil)
        #expect(try !pair.device.hasAvailable())
    }

    @Test func aChainIsSplitIntoWhatIsReadAndWhatIsWritten() throws {
        let pair = try Pair(size: 8)
        pair.driver.setChain(
            [.out(Self.data, 10), .out(Self.data + 100, 0), .out(Self.data + 200, 30), .in(Self.data + 300, 5)], head: 6
        )
        pair.driver.publish(6)
        let chain = try #require(try pair.device.pop())
        #expect(chain.head == 6)
        #expect(chain.readable.count == 40)
        #expect(chain.readable.segments.map(\.address) == [Self.data, Self.data + 200])
        #expect(chain.readable.segments.map(\.count) == [10, 30])
        #expect(chain.writable.segments.map(\.address) == [Self.data + 300])
        #expect(chain.writable.segments.map(\.count) == [5])
        try pair.device.complete(chain, written: 5)
        #expect(try #require(pair.driver.popUsed()) == (6, 5))
    }

    @Test func bytesAreGatheredAndScatteredAcrossSegments() throws {
        let pair = try Pair(size: 8)
        let memory = pair.driver.memory
        pair.driver.setChain([
            .out(Self.data, 3), .out(Self.data + 10, 4), .in(Self.data + 20, 2), .in(Self.data + 30, 3),
        ])
        try memory.write([1, 2, 3], at: Self.data)
        try memory.write([4, 5, 6, 7], at: Self.data + 10)
        pair.driver.publish(0)
        let chain = try #require(try pair.device.pop())
        #expect(chain.readable.bytes(count: 100, in: memory) == [1, 2, 3, 4, 5, 6, 7])
        #expect(chain.readable.bytes(from: 2, count: 3, in: memory) == [3, 4, 5])
        #expect(chain.readable.bytes(from: 7, count: 3, in: memory) == [])
        #expect(chain.readable.bytes(from: 9, count: 3, in: memory) == [])
        #expect(chain.writable.write([9, 8, 7, 6, 5, 4, 3], in: memory) == 5)
        #expect(try memory.bytes(at: Self.data + 20, count: 3) == [9, 8, 0])
        #expect(try memory.bytes(at: Self.data + 30, count: 4) == [7, 6, 5, 0])
    }

    @Test func indicesWrapAfter65536Requests() throws {
        let pair = try Pair(size: 8)
        for round in 0..<70_000 {
            let head = UInt16(round % 8)
            pair.driver.setChain([.in(Self.data, 1)], head: head)
            pair.driver.publish(head)
            let chain = try #require(try pair.device.pop())
            try pair.device.complete(chain, written: 1)
            #expect(try pair.device.shouldSignal() == (pair.driver.usedIndex == 0))
            let used = try #require(pair.driver.popUsed())
            guard used == (UInt32(head), 1) else {
                Issue.record("request \(round) came back as \(used)")
                return
            }
        }
        #expect(pair.driver.usedIndex == UInt16(70_000 - 65_536))
        #expect(try pair.device.pop() == nil)
    }

    @Test func aQueueOfOneEntryWorks() throws {
        let pair = try Pair(size: 1)
        for _ in 0..<5 {
            try pair.pass()
            #expect(try #require(pair.driver.popUsed()) == (0, 1))
        }
    }

    @Test func aRequestThatIsPutBackIsTakenAgain() throws {
        let pair = try Pair(size: 4)
        pair.driver.setChain([.in(Self.data, 1)], head: 2)
        pair.driver.publish(2)
        #expect(try pair.device.pop()?.head == 2)
        #expect(try pair.device.pop() == nil)
        pair.device.putBack()
        #expect(try pair.device.pop()?.head == 2)
    }

    // Section 2.7.7.2: with the event index, a signal comes exactly when the used index passes the event.
    @Test func theEventIndexSuppressesExactly() throws {
        let pair = try Pair(size: 16)
        var signals: [Int] = []
        pair.driver.setUsedEvent(4)
        for request in 0..<10 {
            try pair.pass()
            if try pair.device.shouldSignal() { signals.append(request) }
        }
        #expect(signals == [4])
        pair.driver.setUsedEvent(12)
        // Passed in the middle of a batch, and just not reached by one.
        try pair.pass(2)
        #expect(try !pair.device.shouldSignal())
        try pair.pass(3)
        #expect(try pair.device.shouldSignal())
        #expect(try !pair.device.shouldSignal())
        pair.driver.setUsedEvent(15)
        #expect(try !pair.device.shouldSignal())
        try pair.pass()
        #expect(try pair.device.shouldSignal())
    }

    @Test func theEventIndexSuppressesExactlyAcrossTheWrapOfTheIndex() throws {
        let pair = try Pair(size: 16)
        pair.driver.setUsedEvent(30_000)
        for _ in 0..<(65_534 / 2) { try pair.pass(2) }
        _ = try pair.device.shouldSignal()
        pair.driver.setUsedEvent(1)
        var signals: [Int] = []
        for request in 65_534..<65_544 {
            try pair.pass()
            if try pair.device.shouldSignal() { signals.append(request) }
        }
        #expect(signals == [65_537])
    }

    @Test func withoutTheEventIndexTheFlagOfTheDriverDecides() throws {
        let pair = try Pair(size: 4, features: VirtioFeatures.version1)
        try pair.pass()
        #expect(try pair.device.shouldSignal())
        try pair.driver.memory.store(UInt16(1), at: pair.driver.available)
        try pair.pass()
        #expect(try !pair.device.shouldSignal())
    }

    @Test func theDeviceAsksForNotificationsOnlyWhenItWaits() throws {
        let flags = try Pair(size: 4, features: VirtioFeatures.version1)
        try flags.device.disableNotifications()
        #expect(try flags.driver.memory.load(UInt16.self, at: flags.driver.used) == 1)
        #expect(try !flags.device.enableNotifications())
        #expect(try flags.driver.memory.load(UInt16.self, at: flags.driver.used) == 0)

        let events = try Pair(size: 4)
        try events.pass(3)
        #expect(events.driver.availableEvent == 0)
        #expect(try !events.device.enableNotifications())
        #expect(events.driver.availableEvent == 3)
        #expect(try events.driver.memory.load(UInt16.self, at: events.driver.used) == 0)
        events.driver.publish(0)
        #expect(try events.device.enableNotifications())
    }

    @Test func aRestoredQueueGoesOnWhereTheSavedOneWas() throws {
        let pair = try Pair(size: 4)
        for _ in 0..<2 { try pair.pass(3) }
        _ = try pair.device.shouldSignal()
        pair.driver.setChain([.in(Self.data, 1)], head: 3)
        pair.driver.publish(3)
        let other = try VirtQueue(
            index: 0, layout: pair.driver.layout(), limit: 4, memory: pair.driver.memory,
            features: VirtioFeatures.common)
        try other.restore(pair.device.save())
        let chain = try #require(try other.pop())
        #expect(chain.head == 3)
        try other.complete(chain, written: 0)
        #expect(pair.driver.deviceUsedIndex == 7)
        pair.driver.setUsedEvent(6)
        #expect(try other.shouldSignal())
    }

    @Test func aSavedQueueWithMoreOutstandingThanItsSizeIsRefused() throws {
        let pair = try Pair(size: 4)
        var record = SavedRecord(kind: "virtqueue-split", version: 1)
        record.set("nextAvailable", UInt16(5))
        record.set("nextUsed", UInt16(0))
        record.set("announced", UInt16(0))
        #expect(throws: SavedStateError.badField(kind: "virtqueue-split", field: "nextAvailable")) {
            try pair.device.restore(record)
        }
    }
}
