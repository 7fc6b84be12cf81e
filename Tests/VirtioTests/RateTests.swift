import DiskImages
import GuestMemory
import HostNetwork
import HostSystem
import Testing
import Virtio

@testable import VirtioDevices

@Suite("Rates of disks and cards") struct RateTests {
    private static let millisecond: UInt64 = 1_000_000

    // MARK: Buckets

    @Test("A bucket lets a tenth of a second's tokens pass at once, and then one after the other")
    func burst() {
        var bucket = TokenBucket(tokensPerSecond: 100)
        let start: UInt64 = 5_000 * Self.millisecond
        var passed = 0
        while bucket.passesFrom <= start {
            bucket.spend(1, at: start)
            passed += 1
        }
        // Ten that were saved up, and one that is paid for afterwards.
        #expect(passed == 11)
        #expect(bucket.passesFrom == start + 10 * Self.millisecond)
        bucket.spend(1, at: bucket.passesFrom)
        #expect(bucket.passesFrom == start + 20 * Self.millisecond)
    }

    @Test("A request larger than the bucket passes, and is paid for by those after it")
    func large() {
        var bucket = TokenBucket(tokensPerSecond: 1_000_000)
        #expect(bucket.passesFrom == 0)
        bucket.spend(3_000_000, at: Self.millisecond)
        #expect(bucket.passesFrom == 2_901 * Self.millisecond)
        // What is saved up in a pause is no more than the burst.
        bucket.spend(1_000_000, at: 60_000 * Self.millisecond)
        #expect(bucket.passesFrom == 60_900 * Self.millisecond)
    }

    @Test("No rate and no size overflows", arguments: [1 as UInt64, 1 << 40, .max])
    func extremes(rate: UInt64) {
        for tokens in [0, 1, 1 << 40, .max] as [UInt64] {
            var bucket = TokenBucket(tokensPerSecond: rate)
            bucket.spend(tokens, at: 1 << 60)
            let once = bucket.passesFrom
            bucket.spend(tokens, at: 1 << 60)
            #expect(bucket.passesFrom >= once)
        }
    }

    // MARK: Disks

    private func disk(
        _ image: MemoryDisk, _ rate: DeviceRate, _ clock: TestClock
    ) throws -> DiskDriver {
        let board = try TestBoard(BlockDevice(image: image, io: TestLoop.io, rate: rate, clock: clock))
        try board.transport.start()
        return DiskDriver(board: board, queue: try board.bringUp(size: 64))
    }

    @Test("A disk's bytes in a second are limited, whatever the size of its requests")
    func diskBytes() throws {
        let clock = TestClock()
        let driver = try disk(MemoryDisk(sectors: 64), DeviceRate(bytes: 4096), clock)
        defer { driver.stop() }
        // Larger than the bucket, which has 409 bytes.
        #expect(try driver.run(0, data: [.in(DiskDriver.data, 8192)]) == (0, 8193))
        driver.post(0, data: [.in(DiskDriver.data, 512)])
        #expect(driver.board.isWaiting(driver.queue))
        #expect(clock.wait == 1900 * Self.millisecond)
        clock.advance(by: 1899 * Self.millisecond)
        #expect(driver.board.isWaiting(driver.queue))
        clock.advance(by: Self.millisecond)
        #expect(try driver.board.waitUsed(driver.queue) == (0, 513))
        driver.post(1, data: [.out(DiskDriver.data, 512)])
        #expect(driver.board.isWaiting(driver.queue))
        #expect(clock.wait == 125 * Self.millisecond)
        clock.advance(by: 125 * Self.millisecond)
        #expect(try driver.board.waitUsed(driver.queue) == (0, 1))
    }

    @Test("A disk's operations in a second are limited, whatever they are; what the device answers by itself is free")
    func diskOperations() throws {
        let clock = TestClock()
        let image = MemoryDisk(sectors: 64)
        let driver = try disk(image, DeviceRate(operations: 10), clock)
        defer { driver.stop() }
        for _ in 0..<20 { #expect(try driver.run(8, data: [.in(DiskDriver.data, 20)]) == (0, 21)) }
        // One that was saved up, and one that is paid for afterwards.
        for _ in 0..<2 { #expect(try driver.run(4) == (0, 1)) }
        driver.post(0, data: [.in(DiskDriver.data, 4096)])
        #expect(driver.board.isWaiting(driver.queue))
        #expect(clock.wait == 100 * Self.millisecond)
        clock.advance(by: 100 * Self.millisecond)
        #expect(try driver.board.waitUsed(driver.queue) == (0, 4097))
        #expect(image.state.withLock { $0.entered } == 3)
    }

    @Test("Pausing, resuming and stopping do not wait for a rate, and a request that waited is served after all")
    func pausing() throws {
        let clock = TestClock()
        let driver = try disk(MemoryDisk(sectors: 64), DeviceRate(bytes: 1024, operations: 1), clock)
        #expect(try driver.run(0, data: [.in(DiskDriver.data, 4096)]) == (0, 4097))
        driver.post(0, data: [.in(DiskDriver.data, 512)])
        #expect(driver.board.isWaiting(driver.queue))
        driver.board.pause()
        // The alarm rings while nothing may be served.
        clock.advance(by: 4000 * Self.millisecond)
        #expect(driver.board.isWaiting(driver.queue))
        driver.board.resume()
        #expect(try driver.board.waitUsed(driver.queue) == (0, 513))
        driver.post(0, data: [.in(DiskDriver.data, 512)])
        #expect(driver.board.isWaiting(driver.queue))
        driver.stop()
    }

    // MARK: Cards

    @Test("A card's bytes are limited in each direction by themselves, and no frame is lost")
    func card() throws {
        let card = try RatedCard(rate: DeviceRate(bytes: 1000))
        let (board, queues, network, clocks) = (card.board, card.queues, card.network, card.clocks)
        defer { board.stop() }
        network.deliver(card.frame)
        network.deliver(card.frame)
        #expect(try board.waitUsed(queues[0]) == (0, 512))
        #expect(board.isWaiting(queues[0]))
        #expect(clocks[0].wait == 400 * Self.millisecond)

        try board.memory.write([UInt8](repeating: 0, count: 12) + card.frame, at: card.place + 0x8000)
        for head in UInt16(0)..<2 {
            queues[1].setChain([.out(card.place + 0x8000, 512)], head: head)
            queues[1].publish(head)
        }
        board.notify(1)
        #expect(try board.waitUsed(queues[1]) == (0, 0))
        #expect(board.isWaiting(queues[1]))
        #expect(clocks[1].wait == 400 * Self.millisecond)
        clocks[1].advance(by: 400 * Self.millisecond)
        #expect(try board.waitUsed(queues[1]) == (1, 0))
        #expect(network.sent == [card.frame, card.frame])
        clocks[0].advance(by: 400 * Self.millisecond)
        #expect(try board.waitUsed(queues[0]) == (1, 512))
    }
}
