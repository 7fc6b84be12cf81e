import DiskImages
import GuestMemory
import HostNetwork
import HostSystem
import Testing
import Virtio

@testable import VirtioDevices

@Suite("Rates that change, and counters of transfers") struct RateChangeTests {
    private static let millisecond: UInt64 = 1_000_000

    private func disk(_ clock: TestClock, _ rate: DeviceRate = DeviceRate()) throws -> (BlockDevice, DiskDriver) {
        let device = BlockDevice(image: MemoryDisk(sectors: 64), io: TestLoop.io, rate: rate, clock: clock)
        let board = try TestBoard(device)
        try board.transport.start()
        return (device, DiskDriver(board: board, queue: try board.bringUp(size: 64)))
    }

    @Test("A disk without a rate gets one while it runs, and loses it again")
    func disk() throws {
        let clock = TestClock()
        let (device, driver) = try disk(clock)
        defer { driver.stop() }
        for _ in 0..<8 { #expect(try driver.run(0, data: [.in(DiskDriver.data, 4096)]) == (0, 4097)) }
        try device.setRate(DeviceRate(bytes: 4096))
        TestLoop.shared.sync {}
        #expect(try driver.run(0, data: [.in(DiskDriver.data, 4096)]) == (0, 4097))
        driver.post(0, data: [.in(DiskDriver.data, 512)])
        #expect(driver.board.isWaiting(driver.queue))
        #expect(clock.wait == 900 * Self.millisecond)
        // The request that waits passes by the new rate, without a notification of the driver.
        try device.setRate(DeviceRate())
        TestLoop.shared.sync {}
        clock.advance(by: 0)
        #expect(try driver.board.waitUsed(driver.queue) == (0, 513))
        for _ in 0..<8 { #expect(try driver.run(0, data: [.in(DiskDriver.data, 4096)]) == (0, 4097)) }
    }

    @Test("A lower rate holds from the next request on, and a higher one for a request that waits")
    func lowerAndHigher() throws {
        let clock = TestClock()
        let (device, driver) = try disk(clock, DeviceRate(operations: 1))
        defer { driver.stop() }
        #expect(try driver.run(4) == (0, 1))
        driver.post(4)
        #expect(driver.board.isWaiting(driver.queue))
        try device.setRate(DeviceRate(operations: 1000))
        TestLoop.shared.sync {}
        clock.advance(by: 0)
        #expect(try driver.board.waitUsed(driver.queue) == (0, 1))
        try device.setRate(DeviceRate(operations: 1))
        TestLoop.shared.sync {}
        #expect(try driver.run(4) == (0, 1))
        driver.post(4)
        #expect(driver.board.isWaiting(driver.queue))
        #expect(clock.wait == 900 * Self.millisecond)
        clock.advance(by: 900 * Self.millisecond)
        #expect(try driver.board.waitUsed(driver.queue) == (0, 1))
    }

    @Test("A disk counts what it has read and written, and neither flushes nor requests that failed")
    func diskCounters() throws {
        let (device, driver) = try disk(TestClock())
        defer { driver.stop() }
        #expect(try driver.run(0, data: [.in(DiskDriver.data, 4096)]) == (0, 4097))
        #expect(try driver.run(1, data: [.out(DiskDriver.data, 512)]) == (0, 1))
        #expect(try driver.run(1, data: [.out(DiskDriver.data, 1024)]) == (0, 1))
        #expect(try driver.run(4) == (0, 1))
        // Beyond the end of the disk.
        #expect(try driver.run(0, sector: 1000, data: [.in(DiskDriver.data, 512)]).0 == 1)
        #expect(
            device.counters.figures
                == TransferCounters.Figures(inBytes: 4096, inOperations: 1, outBytes: 1536, outOperations: 2))
    }

    @Test("A card counts frames in each direction, and its rate changes while it runs")
    func card() throws {
        let card = try RatedCard()
        let (board, queues, network, clocks) = (card.board, card.queues, card.network, card.clocks)
        defer { board.stop() }
        try card.device.setRate(DeviceRate(bytes: 1000))
        TestLoop.shared.sync {}
        network.deliver(card.frame)
        network.deliver(card.frame)
        #expect(try board.waitUsed(queues[0]) == (0, 512))
        #expect(board.isWaiting(queues[0]))
        #expect(clocks[0].wait == 400 * Self.millisecond)
        try card.device.setRate(DeviceRate())
        TestLoop.shared.sync {}
        clocks[0].advance(by: 0)
        #expect(try board.waitUsed(queues[0]) == (1, 512))

        try board.memory.write([UInt8](repeating: 0, count: 12) + card.frame, at: card.place + 0x8000)
        queues[1].setChain([.out(card.place + 0x8000, 512)], head: 0)
        queues[1].publish(0)
        board.notify(1)
        #expect(try board.waitUsed(queues[1]) == (0, 0))
        #expect(
            card.device.counters.figures
                == TransferCounters.Figures(inBytes: 1000, inOperations: 2, outBytes: 500, outOperations: 1))
    }
}
