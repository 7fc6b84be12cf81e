import GuestMemory
import HostSystem
import Machine
import Testing
import Virtio
import VirtioDevices

@Suite struct MMIOTransportTests {
    private func makeBoard(_ image: MemoryDisk = MemoryDisk(sectors: 64)) throws -> TestBoard {
        let board = try TestBoard(BlockDevice(image: image, io: TestLoop.io))
        try board.transport.start()
        return board
    }

    private func stop(_ board: TestBoard) {
        board.transport.pause()
        board.transport.stop()
    }

    @Test func theIdentityIsThatOfQEMUsBoard() throws {
        let board = try makeBoard()
        defer { stop(board) }
        #expect([0x000, 0x004, 0x008, 0x00C].map { board.read($0) } == [0x7472_6976, 2, 2, 0x554D_4551])
    }

    @Test func theStatusKeepsWhateverTheDriverWritesInAnyOrder() throws {
        let board = try makeBoard()
        defer { stop(board) }
        for value in [UInt8(2), 8, 0x0A, 4, 0x0E] {
            board.status = 0
            board.status = value
            #expect(board.status == value)
        }
        // Bits do not go away, and the device's own cannot be set.
        board.status = 1
        #expect(board.status == 0x0F)
        board.status = 0x4B
        #expect(board.status == 0x0F)
        board.status = 0
        #expect(board.status == 0)
    }

    @Test func aDeviceThatTheDriverGaveUpDoesNotBegin() throws {
        let board = try makeBoard()
        defer { stop(board) }
        board.status = 0x83
        board.status = 0x8F
        #expect(board.status == 0x8B)
        board.status = 0
        board.status = 0x87
        #expect(board.status == 0x83)
    }

    /// U-Boot 2025.01 skips ACKNOWLEDGE after its second reset; xv6 takes the low 32 feature bits over only.
    @Test(arguments: [(UInt8(2), UInt64.max), (3, 0xFFFF_FFFF)])
    func aDriverWithoutAcknowledgeOrWithoutVersion1RunsRequests(_ first: UInt8, _ features: UInt64) throws {
        let board = try makeBoard()
        defer { stop(board) }
        let accepted = board.offeredFeatures & features
        board.status = 0
        board.status = first
        for word in 0..<2 {
            board.write(0x024, UInt32(word))
            board.write(0x020, UInt32(truncatingIfNeeded: accepted >> (32 * UInt64(word))))
        }
        board.status = first | 8
        #expect(board.status == first | 8)
        let queue = GuestQueue(memory: board.memory, base: TestBoard.base, size: 16)
        board.setUp(0, queue.layout())
        board.status = first | 0x0C
        #expect(try DiskDriver(board: board, queue: queue).run(4) == (0, 1))
    }

    @Test func aQueueThatIsSetUpBeforeTheFeaturesFollowsTheFeatures() throws {
        let board = try makeBoard()
        defer { stop(board) }
        let queue = GuestQueue(memory: board.memory, base: TestBoard.base, size: 16)
        board.setUp(0, queue.layout())
        let accepted = board.offeredFeatures
        for word in 0..<2 {
            board.write(0x024, UInt32(word))
            board.write(0x020, UInt32(truncatingIfNeeded: accepted >> (32 * UInt64(word))))
        }
        board.status = 0x0F
        let driver = DiskDriver(board: board, queue: queue)
        // Descriptors in a table of their own are one of the features.
        driver.post(4, indirect: true)
        #expect(try board.waitUsed(queue) == (0, 1))
    }

    @Test func anEmptySlotHasAnIdentityAndNoDevice() throws {
        for version in [VirtioMMIOVersion.legacy, .modern] {
            let slot = VirtioMMIOEmptySlot(name: "virtio7", version: version)
            for offset in stride(from: UInt64(0), to: 0x200, by: 4) { slot.write(offset: offset, size: 4, value: .max) }
            let values = stride(from: UInt64(0), to: 0x200, by: 4).map { slot.read(offset: $0, size: 4) }
            let identity = [0x7472_6976, version.rawValue, 0, 0x554D_4551]
            #expect(values == identity + Array(repeating: 0, count: values.count - 4))
            #expect(slot.read(offset: 0, size: 8) == 0)
        }
    }

    @Test func featuresThatAreNotOfferedAreNotAccepted() throws {
        let board = try makeBoard()
        defer { stop(board) }
        for bit in [5, 34, 63] {
            board.status = 0
            board.status = 3
            let features = board.offeredFeatures | 1 << UInt64(bit)
            board.write(0x024, 0)
            board.write(0x020, UInt32(truncatingIfNeeded: features))
            board.write(0x024, 1)
            board.write(0x020, UInt32(features >> 32))
            board.status = 0x0B
            #expect(board.status == 3, "bit \(bit)")
        }
        board.write(0x014, 2)
        #expect(board.read(0x010) == 0)
        board.write(0x014, .max)
        #expect(board.read(0x010) == 0)
    }

    @Test func registersOnlyAnswerAlignedWordAccesses() throws {
        let board = try makeBoard()
        defer { stop(board) }
        for size in [1, 2, 8] { #expect(board.transport.read(offset: 0, size: size) == 0) }
        for offset in [UInt64(1), 2, 3] { #expect(board.transport.read(offset: offset, size: 4) == 0) }
        for size in [1, 2, 8] { board.transport.write(offset: 0x070, size: size, value: 1) }
        #expect(board.status == 0)
        // Shared memory regions that are not there, and registers that are not.
        board.write(0x0AC, 0)
        for offset in [UInt64(0x0B0), 0x0B4, 0x0B8, 0x0BC] { #expect(board.read(offset) == 0xFFFF_FFFF) }
        for offset in [UInt64(0x020), 0x038, 0x050, 0x064, 0x080, 0x0F0] { #expect(board.read(offset) == 0) }
    }

    @Test func theConfigurationTakesAnyAccess() throws {
        let board = try makeBoard()
        defer { stop(board) }
        #expect(board.transport.read(offset: 0x100, size: 1) == 64)
        #expect(board.transport.read(offset: 0x107, size: 8) >> 8 == 0xFE00_1000_00)
        #expect(board.transport.read(offset: 0x109, size: 2) == 0x1000)
        #expect(board.transport.read(offset: 0x100 + 59, size: 4) == 0)
        #expect(board.transport.read(offset: 0x1FF, size: 8) == 0)
        #expect(board.transport.read(offset: .max - 8, size: 8) == 0)
        board.transport.write(offset: .max - 8, size: 8, value: .max)
        for size in [1, 2, 4, 8] {
            for offset in UInt64(0x100)..<0x180 { board.transport.write(offset: offset, size: size, value: .max) }
        }
        #expect(board.transport.read(offset: 0x100, size: 8) == 64)
    }

    @Test func aQueueThatIsNotThereHasNoRegisters() throws {
        let board = try makeBoard()
        defer { stop(board) }
        board.negotiate()
        for index in [UInt32(1), 100, .max] {
            board.setUp(0, VirtQueueLayout(), ready: false)
            board.write(0x030, index)
            #expect(board.read(0x034) == 0)
            board.write(0x044, 1)
            board.write(0x044, 0)
            board.write(0x0C0, 1)
            #expect(board.read(0x044) == 0)
            board.write(0x050, index)
        }
        #expect(!board.needsReset)
    }

    @Test(arguments: [UInt32(0), 3, 512, 0x1_0000, 0x1_0010, .max])
    func aQueueSizeThatCannotBeMakesTheDeviceNeedAReset(_ size: UInt32) throws {
        let board = try makeBoard()
        defer { stop(board) }
        board.negotiate()
        let queue = GuestQueue(memory: board.memory, base: TestBoard.base, size: 16)
        board.setUp(0, queue.layout(), ready: false)
        board.write(0x038, size)
        board.write(0x044, 1)
        #expect(board.read(0x044) == 0)
        #expect(board.needsReset)
        // Before DRIVER_OK the driver is not told.
        #expect(board.read(0x060) == 0)
        board.status = 0x0F
        board.notify()
        board.status = 0
        #expect(board.status == 0)
        let working = try DiskDriver(board: board, queue: board.bringUp())
        #expect(try working.run(4) == (0, 1))
    }

    @Test func interruptsFollowUsedBuffersUntilTheyAreAcknowledged() throws {
        let driver = try DiskDriver.start(MemoryDisk(sectors: 64))
        defer { driver.stop() }
        #expect(try driver.run(4) == (0, 1))
        try driver.board.wait("the interrupt", until: { driver.board.line.withLock { $0.level } })
        #expect(driver.board.read(0x060) == 1)
        driver.board.write(0x064, 2)
        #expect(driver.board.line.withLock { $0.level })
        driver.board.write(0x064, 1)
        #expect(driver.board.read(0x060) == 0)
        #expect(!driver.board.line.withLock { $0.level })
    }

    @Test func nothingHappensBeforeDriverOK() throws {
        let image = MemoryDisk(sectors: 64)
        let board = try makeBoard(image)
        defer { stop(board) }
        let queue = GuestQueue(memory: board.memory, base: TestBoard.base, size: 16)
        board.negotiate()
        board.setUp(0, queue.layout())
        #expect(board.read(0x044) == 1)
        let driver = DiskDriver(board: board, queue: queue)
        driver.post(4)
        board.transport.pause()
        #expect(queue.deviceUsedIndex == 0)
        board.transport.resume()
        // What waited is found without another notification.
        board.status = 0x0F
        #expect(try board.waitUsed(queue) == (0, 1))
    }

    @Test func theRegistersOfAReadyQueueAreFinal() throws {
        let driver = try DiskDriver.start(MemoryDisk(sectors: 64))
        defer { driver.stop() }
        var other = driver.queue.layout()
        other.size = 4
        other.used = 0
        driver.board.setUp(0, other)
        #expect(try driver.run(4) == (0, 1))
    }

    @Test func aResetQueueIsSetUpAgain() throws {
        let driver = try DiskDriver.start(MemoryDisk(sectors: 64))
        defer { driver.stop() }
        #expect(try driver.run(4) == (0, 1))
        for reset in [UInt64(0x0C0), 0x044] {
            driver.board.write(0x030, 0)
            driver.board.write(reset, reset == 0x044 ? 0 : 1)
            #expect(driver.board.read(0x0C0) == 0)
            #expect(driver.board.read(0x044) == 0)
            driver.queue.clear()
            driver.post(4)
            driver.board.transport.pause()
            #expect(driver.queue.deviceUsedIndex == 0)
            driver.board.transport.resume()
            driver.board.setUp(0, driver.queue.layout())
            #expect(try driver.board.waitUsed(driver.queue) == (0, 1))
        }
    }

    @Test func aBrokenRingMakesTheDeviceNeedAResetAndAResetHelps() throws {
        let driver = try DiskDriver.start(MemoryDisk(sectors: 64))
        defer { driver.stop() }
        try driver.board.memory.storeRelease(17, at: driver.queue.available + 2)
        driver.board.notify()
        try driver.board.wait("the need of a reset", until: { driver.board.needsReset })
        #expect(driver.board.status == 0x4F)
        try driver.board.wait("the interrupt", until: { driver.board.read(0x060) == 2 })
        for _ in 0..<100 { driver.board.notify() }
        #expect(driver.queue.deviceUsedIndex == 0)
        let again = try DiskDriver(board: driver.board, queue: driver.board.bringUp())
        #expect(!driver.board.needsReset)
        #expect(try again.run(4) == (0, 1))
    }

    @Test func requestsWithoutHeaderOrStatusMakeTheDeviceNeedAReset() throws {
        for chain in [
            [GuestQueue.Buffer.out(DiskDriver.header, 16)],
            [.out(DiskDriver.header, 15), .in(DiskDriver.status, 1)],
            [.in(DiskDriver.header, 16), .in(DiskDriver.status, 1)],
            [.out(DiskDriver.header, 16), .in(DiskDriver.status, 0)],
        ] {
            let driver = try DiskDriver.start(MemoryDisk(sectors: 64))
            defer { driver.stop() }
            driver.writeHeader(4, sector: 0)
            driver.queue.setChain(chain)
            driver.queue.publish(0)
            driver.board.notify()
            try driver.board.wait("the need of a reset", until: { driver.board.needsReset })
            #expect(driver.queue.deviceUsedIndex == 0)
        }
    }
}
