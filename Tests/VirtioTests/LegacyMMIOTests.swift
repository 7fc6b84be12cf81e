import GuestMemory
import SavedState
import Testing
import Virtio
import VirtioDevices

/// A disk behind the registers of version 1, and a driver written to them.
private struct LegacyDisk {
    static let pageSize: UInt32 = 4096
    static let queueAddress = TestBoard.base + 0x1_0000

    let board: TestBoard

    init(_ image: MemoryDisk = MemoryDisk(sectors: 64)) throws {
        board = try TestBoard(BlockDevice(image: image, io: TestLoop.io), version: .legacy)
        try board.transport.start()
    }

    func stop() {
        board.transport.pause()
        board.transport.stop()
    }

    /// Does as drivers do up to the queue: no FEATURES_OK, and the features without their upper half.
    func setUp(size: UInt16 = 16, alignment: UInt32? = 4096, features: UInt32 = .max) -> GuestQueue {
        board.status = 0
        board.status = 1
        board.status = 3
        board.write(0x020, board.read(0x010) & features)
        board.write(0x028, Self.pageSize)
        let queue = GuestQueue(
            memory: board.memory, base: Self.queueAddress, size: size, alignment: UInt64(alignment ?? 4096))
        board.write(0x030, 0)
        board.write(0x038, UInt32(size))
        if let alignment { board.write(0x03C, alignment) }
        board.write(0x040, UInt32(Self.queueAddress / UInt64(Self.pageSize)))
        return queue
    }

    func start() -> DiskDriver {
        let queue = setUp()
        board.status = 7
        return DiskDriver(board: board, queue: queue)
    }
}

@Suite struct LegacyMMIOTests {
    @Test func theRegistersAreThoseOfVersion1() throws {
        let disk = try LegacyDisk()
        defer { disk.stop() }
        let board = disk.board
        #expect([0x000, 0x004, 0x008, 0x00C].map { board.read($0) } == [0x7472_6976, 1, 2, 0x554D_4551])
        // ANY_LAYOUT, indirect descriptors and the event index besides the device's own; nothing above bit 31.
        #expect(board.read(0x010) & 0xFF00_0000 == 0x3800_0000)
        #expect(board.offeredFeatures >> 32 == 0)
        // No QueueReady, addresses, shared memory or generation.
        for offset in [UInt64(0x044), 0x080, 0x0B0, 0x0FC] {
            board.write(offset, 1)
            #expect(board.read(offset) == 0)
        }
        #expect(board.transport.read(offset: 0x100, size: 8) == 64)
    }

    /// As on QEMU's board: kernels that accept VERSION_1 whatever the device offers find their disk over version 1, too.
    @Test func whatADriverAcceptsInTheUpperWordIsIgnored() throws {
        let disk = try LegacyDisk()
        defer { disk.stop() }
        let board = disk.board
        board.status = 3
        board.write(0x024, 0)
        board.write(0x020, board.read(0x010))
        board.write(0x024, 1)
        board.write(0x020, 1)
        board.status = 0xB
        #expect(board.status == 0xB)
    }

    @Test(arguments: [UInt32?(4096), 64, nil]) func requestsRunOnAQueueOfEveryAlignment(_ alignment: UInt32?) throws {
        let disk = try LegacyDisk()
        defer { disk.stop() }
        let queue = disk.setUp(alignment: alignment)
        #expect(disk.board.read(0x040) == UInt32(LegacyDisk.queueAddress / 4096))
        disk.board.status = 7
        #expect(disk.board.status == 7)
        let driver = DiskDriver(board: disk.board, queue: queue)
        driver.writeData([UInt8](repeating: 0x5A, count: 512))
        #expect(try driver.run(1, sector: 3, data: [.out(DiskDriver.data, 512)]) == (0, 1))
        driver.writeData([UInt8](repeating: 0, count: 512))
        #expect(try driver.run(0, sector: 3, data: [.in(DiskDriver.data, 512)]) == (0, 513))
        #expect(driver.readData(512) == [UInt8](repeating: 0x5A, count: 512))
        try disk.board.wait("the interrupt", until: { disk.board.read(0x060) == 1 })
    }

    @Test func aDriverMayUseTheQueueBeforeItSetsDriverOK() throws {
        let disk = try LegacyDisk()
        defer { disk.stop() }
        // A notification of a queue that is not there begins nothing.
        disk.board.notify()
        let driver = DiskDriver(board: disk.board, queue: disk.setUp())
        #expect(try driver.run(4) == (0, 1))
        #expect(disk.board.status == 3)
        disk.board.status = 7
        #expect(try driver.run(4) == (0, 1))
    }

    @Test func aPageNumberOfZeroStopsTheQueueAndAnotherStartsItAnew() throws {
        let disk = try LegacyDisk()
        defer { disk.stop() }
        let driver = disk.start()
        #expect(try driver.run(4) == (0, 1))
        disk.board.write(0x040, 0)
        #expect(disk.board.read(0x040) == 0)
        driver.queue.clear()
        disk.board.write(0x040, UInt32(LegacyDisk.queueAddress / 4096))
        #expect(try driver.run(4) == (0, 1))
    }

    @Test func aQueueOutsideOfMemoryOrWithoutAPageSizeMakesTheDeviceNeedAReset() throws {
        let disk = try LegacyDisk()
        defer { disk.stop() }
        disk.board.write(0x038, 16)
        for (pageSize, page) in [(UInt32(0), UInt32(16)), (4096, .max), (1 << 31, .max)] {
            disk.board.status = 0
            disk.board.write(0x028, pageSize)
            disk.board.write(0x038, 16)
            disk.board.write(0x040, page)
            #expect(disk.board.needsReset)
            #expect(disk.board.read(0x040) == 0)
        }
        #expect(try disk.start().run(4) == (0, 1))
    }

    @Test func pageSizesAndAlignmentsThatAreNoPowersOfTwoChangeNothing() throws {
        let disk = try LegacyDisk()
        defer { disk.stop() }
        let driver = DiskDriver(board: disk.board, queue: disk.setUp())
        disk.board.write(0x040, 0)
        for value in [UInt32(0), 3, 4097] {
            disk.board.write(0x028, value)
            disk.board.write(0x03C, value)
        }
        disk.board.write(0x040, UInt32(LegacyDisk.queueAddress / 4096))
        disk.board.status = 7
        #expect(try driver.run(4) == (0, 1))
    }

    @Test func aSavedDeviceGoesOnWithItsQueueAlsoBeforeDriverOK() throws {
        for isLive in [false, true] {
            let disk = try LegacyDisk()
            let driver = DiskDriver(board: disk.board, queue: disk.setUp(alignment: 64))
            if isLive { disk.board.status = 7 }
            #expect(try driver.run(4) == (0, 1))
            disk.board.transport.pause()
            let state = try disk.board.transport.save()
            disk.board.transport.stop()

            let other = try TestBoard(
                BlockDevice(image: MemoryDisk(sectors: 64), io: TestLoop.io), memory: disk.board.memory,
                version: .legacy)
            try other.transport.restore(SavedRecord(encoded: state.encoded(), limit: 1 << 20))
            #expect(try other.transport.save() == state)
            try other.transport.start()
            #expect(other.status == (isLive ? 7 : 3))
            #expect(try DiskDriver(board: other, queue: driver.queue).run(4) == (0, 1))
            other.write(0x040, 0)
            other.transport.pause()
            other.transport.stop()
        }
    }

    @Test func theVersionsDoNotTakeEachOthersState() throws {
        let modern = try TestBoard(BlockDevice(image: MemoryDisk(sectors: 64), io: TestLoop.io))
        let legacy = try TestBoard(BlockDevice(image: MemoryDisk(sectors: 64), io: TestLoop.io), version: .legacy)
        #expect(throws: SavedStateError.self) { try legacy.transport.restore(modern.transport.save()) }
        #expect(throws: SavedStateError.self) { try modern.transport.restore(legacy.transport.save()) }
    }
}
