import DiskImages
import Glibc
import GuestMemory
import HostSystem
import Machine
import Testing
import Virtio
import VirtioDevices

@Suite struct BlockDeviceTests {
    private let pattern = (0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ 5) }

    @Test func theConfigurationTellsTheDisk() throws {
        let board = try TestBoard(BlockDevice(image: MemoryDisk(sectors: 64), io: TestLoop.io))
        #expect(board.read(0x000) == 0x7472_6976)
        #expect(board.read(0x004) == 2)
        #expect(board.read(0x008) == 2)
        #expect(board.read(0x034) == 256)
        #expect(board.transport.read(offset: 0x100, size: 8) == 64)
        #expect(board.read(0x100 + 12) == 254)
        #expect(board.read(0x100 + 20) == 512)
        #expect(board.transport.read(offset: 0x100 + 24, size: 1) == 3)
        #expect(board.transport.read(offset: 0x100 + 32, size: 1) == 1)
        #expect(board.transport.read(offset: 0x100 + 34, size: 2) == 1)
        #expect(board.read(0x100 + 36) == 1 << 22)
        #expect(board.offeredFeatures == 1 << 32 | 1 << 40 | 1 << 29 | 1 << 28 | 0x6E46)
        #expect(board.read(0x100 + 60) == 0)
    }

    @Test func readsReturnWhatTheImageHolds() throws {
        let image = MemoryDisk(sectors: 64)
        let driver = try DiskDriver.start(image)
        defer { driver.stop() }
        let result = try driver.run(0, sector: 3, data: [.in(DiskDriver.data, 1024)])
        #expect(result == (0, 1025))
        #expect(driver.readData(1024) == Array(image.bytes[1536..<2560]))
    }

    @Test func aVCPUThatNotifiesServesTheRequestItselfWhileTheLoopWaits() throws {
        let image = MemoryDisk(sectors: 64)
        let driver = try DiskDriver.start(image)
        defer { driver.stop() }
        // Other tests use the same loop: it does not wait at every notification.
        var attempts = 0
        repeat {
            attempts += 1
            #expect(try driver.run(0, sector: 3, data: [.in(DiskDriver.data, 1024)]) == (0, 1025))
        } while image.state.withLock({ $0.submitter }) != UInt(pthread_self()) && attempts < 10_000
        #expect(image.state.withLock { $0.submitter } == UInt(pthread_self()))
    }

    @Test func writesReachTheImage() throws {
        let image = MemoryDisk(sectors: 64)
        let driver = try DiskDriver.start(image)
        defer { driver.stop() }
        driver.writeData(pattern)
        let result = try driver.run(1, sector: 8, data: [.out(DiskDriver.data, 4096)])
        #expect(result == (0, 1))
        #expect(Array(image.bytes[4096..<8192]) == pattern)
        #expect(image.bytes[4095] == MemoryDisk(sectors: 64).bytes[4095])
    }

    @Test func aRequestMayBeCutIntoDescriptorsAnywhere() throws {
        let image = MemoryDisk(sectors: 64)
        let driver = try DiskDriver.start(image)
        defer { driver.stop() }
        driver.writeHeader(0, sector: 1)
        driver.queue.setChain([
            .out(DiskDriver.header, 3), .out(DiskDriver.header + 3, 13),
            .in(DiskDriver.data, 100), .in(DiskDriver.data + 100, 0), .in(DiskDriver.data + 100, 413),
        ])
        driver.queue.publish(0)
        driver.board.notify()
        #expect(try driver.board.waitUsed(driver.queue) == (0, 513))
        #expect(driver.readData(513) == Array(image.bytes[512..<1024]) + [0])
    }

    @Test func indirectDescriptorsCarryARequestInAQueueOfOneEntry() throws {
        let image = MemoryDisk(sectors: 64)
        let driver = try DiskDriver.start(image, size: 1)
        defer { driver.stop() }
        for sector in 0..<UInt64(20) {
            let result = try driver.run(0, sector: sector, data: [.in(DiskDriver.data, 512)], indirect: true)
            #expect(result == (0, 513))
            #expect(driver.readData(512) == Array(image.bytes[Int(sector) * 512..<Int(sector + 1) * 512]))
        }
    }

    @Test func flushDiscardAndWriteZeroesReachTheImage() throws {
        let image = MemoryDisk(sectors: 64)
        let driver = try DiskDriver.start(image)
        defer { driver.stop() }
        #expect(try driver.run(4) == (0, 1))
        #expect(image.state.withLock { $0.flushes } == 1)

        driver.setRanges([(2, 4, 0), (10, 1, 0)])
        #expect(try driver.run(11, data: [.out(DiskDriver.data, 32)]) == (0, 1))
        #expect(image.state.withLock { $0.discards } == [1024..<3072, 5120..<5632])

        driver.setRanges([(5, 2, 1)])
        #expect(try driver.run(13, data: [.out(DiskDriver.data, 16)]) == (0, 1))
        var expected = MemoryDisk(sectors: 64).bytes
        for index in 2560..<3584 { expected[index] = 0 }
        #expect(image.bytes == expected)
    }

    @Test func theSerialIsTwentyBytes() throws {
        let driver = try DiskDriver.start(MemoryDisk(sectors: 8), serial: "root-disk")
        defer { driver.stop() }
        driver.writeData(Array(repeating: 0xAA, count: 24))
        #expect(try driver.run(8, data: [.in(DiskDriver.data, 20)]) == (0, 21))
        #expect(driver.readData(21) == Array("root-disk".utf8) + Array(repeating: 0, count: 11) + [0xAA])
        #expect(try driver.run(8, data: [.in(DiskDriver.data, 4)]) == (0, 5))
    }

    @Test func aReadOnlyDiskRefusesEveryChange() throws {
        let image = MemoryDisk(sectors: 64, isReadOnly: true)
        let driver = try DiskDriver.start(image)
        defer { driver.stop() }
        #expect(driver.board.offeredFeatures & 0x6020 == 0x20)
        #expect(try driver.run(1, data: [.out(DiskDriver.data, 512)]).status == 1)
        driver.setRanges([(0, 1, 0)])
        #expect(try driver.run(11, data: [.out(DiskDriver.data, 16)]).status == 1)
        #expect(try driver.run(13, data: [.out(DiskDriver.data, 16)]).status == 1)
        #expect(try driver.run(0, data: [.in(DiskDriver.data, 512)]).status == 0)
        #expect(image.bytes == MemoryDisk(sectors: 64).bytes)
    }

    @Test(arguments: [UInt64(64), 65, 1 << 54, .max / 512, .max])
    func sectorsBeyondTheDiskAreAnError(_ sector: UInt64) throws {
        let driver = try DiskDriver.start(MemoryDisk(sectors: 64))
        defer { driver.stop() }
        #expect(try driver.run(0, sector: sector, data: [.in(DiskDriver.data, 512)]) == (1, 0))
        #expect(try driver.run(1, sector: sector, data: [.out(DiskDriver.data, 512)]) == (1, 1))
        driver.setRanges([(sector, 1, 0)])
        #expect(try driver.run(13, data: [.out(DiskDriver.data, 16)]) == (1, 1))
        #expect(!driver.board.needsReset)
    }

    @Test func oddRequestsAreErrorsAndTheDiskGoesOn() throws {
        let driver = try DiskDriver.start(MemoryDisk(sectors: 64))
        defer { driver.stop() }
        // Reaches past the end, not whole sectors, unknown types, bad ranges.
        #expect(try driver.run(0, sector: 63, data: [.in(DiskDriver.data, 1024)]).status == 1)
        #expect(try driver.run(0, sector: 0, data: [.in(DiskDriver.data, 100)]).status == 1)
        #expect(try driver.run(99).status == 2)
        #expect(try driver.run(.max).status == 2)
        #expect(try driver.run(11, data: [.out(DiskDriver.data, 15)]).status == 1)
        #expect(try driver.run(11).status == 1)
        #expect(try driver.run(13, data: [.out(DiskDriver.data, 65 * 16)]).status == 1)
        driver.setRanges([(0, 1, 1)])
        #expect(try driver.run(11, data: [.out(DiskDriver.data, 16)]).status == 2)
        driver.setRanges([(0, 1, 2)])
        #expect(try driver.run(13, data: [.out(DiskDriver.data, 16)]).status == 2)
        driver.setRanges([(0, .max, 0)])
        #expect(try driver.run(13, data: [.out(DiskDriver.data, 16)]).status == 1)
        #expect(try driver.run(0, data: [.in(DiskDriver.data, 512)]) == (0, 513))
    }

    @Test func anErrorOfTheHostIsAnErrorOfTheRequestAndTheNextOneWorks() throws {
        let image = MemoryDisk(sectors: 64)
        let driver = try DiskDriver.start(image)
        defer { driver.stop() }
        image.state.update { $0.error = .system(SystemError("pwritev", code: 28)) }
        #expect(try driver.run(1, data: [.out(DiskDriver.data, 512)]).status == 1)
        #expect(try driver.run(4).status == 1)
        image.state.update { $0.error = nil }
        #expect(try driver.run(1, data: [.out(DiskDriver.data, 512)]).status == 0)
    }

    @Test func aFileThatRefusesWritesIsAnErrorOfTheRequest() throws {
        // Sealed against writing, a memory file refuses what an open descriptor allows.
        let file = try makeMemoryFile(name: "disk", size: 8192)
        #expect(fcntl(file.rawValue, 1033, 8) == 0)  // F_ADD_SEALS, F_SEAL_WRITE
        let image = try RawDiskImage(path: "/proc/self/fd/\(file.rawValue)", readOnly: false)
        let board = try TestBoard(BlockDevice(image: image, io: TestLoop.io))
        try board.transport.start()
        let driver = DiskDriver(board: board, queue: try board.bringUp())
        defer { driver.stop() }
        #expect(try driver.run(1, data: [.out(DiskDriver.data, 512)]) == (1, 1))
        driver.setRanges([(0, 1, 0)])
        #expect(try driver.run(13, data: [.out(DiskDriver.data, 16)]) == (1, 1))
        #expect(try driver.run(0, data: [.in(DiskDriver.data, 512)]) == (0, 513))
    }

    @Test func aDriverThatCannotFlushHasItsWritesFlushed() throws {
        let image = MemoryDisk(sectors: 64)
        let driver = try DiskDriver.start(image, features: VirtioFeatures.version1)
        defer { driver.stop() }
        #expect(try driver.run(1, data: [.out(DiskDriver.data, 512)]).status == 0)
        #expect(image.state.withLock { $0.flushes } == 1)
    }

    @Test("Stopping a disk flushes nothing, and so does not wait for a host's disk that hangs")
    func stopDoesNotFlush() throws {
        let image = MemoryDisk(sectors: 64)
        let driver = try DiskDriver.start(image)
        #expect(try driver.run(1, data: [.out(DiskDriver.data, 512)]).status == 0)
        driver.stop()
        #expect(image.state.withLock { $0.flushes } == 0)
    }

    @Test func theDriverChoosesTheCacheModeWhenItNegotiatedThat() throws {
        let image = MemoryDisk(sectors: 64)
        let driver = try DiskDriver.start(image)
        defer { driver.stop() }
        _ = try driver.run(1, data: [.out(DiskDriver.data, 512)])
        #expect(image.state.withLock { $0.flushes } == 0)
        driver.board.transport.write(offset: 0x100 + 32, size: 1, value: 0)
        #expect(driver.board.transport.read(offset: 0x100 + 32, size: 1) == 0)
        _ = try driver.run(1, data: [.out(DiskDriver.data, 512)])
        #expect(image.state.withLock { $0.flushes } == 1)
    }
}

extension DiskDriver {
    /// Writes the ranges of a discard into the data.
    func setRanges(_ ranges: [(sector: UInt64, count: UInt32, flags: UInt32)]) {
        for (index, range) in ranges.enumerated() {
            let slot = Self.data + 16 * UInt64(index)
            try! board.memory.store(range.sector, at: slot)
            try! board.memory.store(range.count, at: slot + 8)
            try! board.memory.store(range.flags, at: slot + 12)
        }
    }
}
