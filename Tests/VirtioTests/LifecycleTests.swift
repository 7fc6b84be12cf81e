import DiskImages
import GuestMemory
import HostSystem
import SavedState
import Synchronization
import Testing
import Virtio
import VirtioDevices

/// Pause, save and restore under load, and a driver that runs at the same time as the device.
@Suite struct LifecycleTests {
    private static let data = TestBoard.base + 0x10_0000
    private static let requests = TestBoard.base + 0x20_0000
    private static let slots: UInt16 = 64

    /// A driver with `slots` requests in rotation: slot n reads sector n, or writes it with a pattern.
    private final class Load: @unchecked Sendable {
        // @unchecked: used by one thread at a time.
        let queue: GuestQueue
        let memory: GuestMemory
        var posted = 0
        var completed = 0

        init(_ queue: GuestQueue, _ memory: GuestMemory) {
            self.queue = queue
            self.memory = memory
        }

        func data(_ slot: Int) -> UInt64 { LifecycleTests.data + UInt64(slot) * 512 }
        func header(_ slot: Int) -> UInt64 { LifecycleTests.requests + UInt64(slot) * 64 }

        /// Posts one request, when there is a free slot. Requests complete in order, which makes slots simple.
        func post() -> Bool {
            guard posted - completed < Int(LifecycleTests.slots) else { return false }
            let slot = posted % Int(LifecycleTests.slots)
            let isWrite = posted / Int(LifecycleTests.slots) % 2 == 0
            if isWrite { try! memory.write(pattern(posted), at: data(slot)) }
            try! memory.store(UInt32(isWrite ? 1 : 0), at: header(slot))
            try! memory.store(UInt64(slot), at: header(slot) + 8)
            try! memory.store(UInt8(0xEE), at: header(slot) + 16)
            let head = UInt16(slot * 3)
            queue.setChain(
                [
                    .out(header(slot), 16), isWrite ? .out(data(slot), 512) : .in(data(slot), 512),
                    .in(header(slot) + 16, 1),
                ], head: head)
            queue.publish(head)
            posted += 1
            return true
        }

        func pattern(_ request: Int) -> [UInt8] {
            (0..<512).map { UInt8(truncatingIfNeeded: $0 &* 3 &+ request) }
        }

        /// Takes one completion and checks it.
        func take() -> Bool {
            guard let used = queue.popUsed() else { return false }
            let slot = completed % Int(LifecycleTests.slots)
            let isWrite = completed / Int(LifecycleTests.slots) % 2 == 0
            let status: UInt8 = try! memory.load(at: header(slot) + 16)
            let expected = pattern(isWrite ? completed : completed - Int(LifecycleTests.slots))
            let found = try! memory.bytes(at: data(slot), count: 512)
            if used.head != UInt32(slot * 3) || used.length != (isWrite ? 1 : 513) || status != 0 || found != expected {
                Issue.record("request \(completed) came back as \(used) with status \(status)")
            }
            completed += 1
            return true
        }
    }

    private func stop(_ board: TestBoard) {
        board.transport.pause()
        board.transport.stop()
    }

    @Test func noNotificationAndNoInterruptIsLostBetweenDriverAndDevice() throws {
        let board = try TestBoard(BlockDevice(image: MemoryDisk(sectors: 64), io: TestLoop.io))
        try board.transport.start()
        defer { stop(board) }
        let queue = try board.bringUp(size: 256)
        let load = Load(queue, board.memory)
        // The driver notifies only when the device asks for it, and sleeps until an interrupt, as Linux does.
        while load.completed < 20_000 {
            let before = queue.availableIndex
            while load.posted < 20_000, load.post() {}
            atomicMemoryFence(ordering: .sequentiallyConsistent)
            if queue.availableIndex &- queue.availableEvent &- 1 < queue.availableIndex &- before { board.notify() }
            queue.setUsedEvent(queue.usedIndex)
            atomicMemoryFence(ordering: .sequentiallyConsistent)
            if queue.deviceUsedIndex == queue.usedIndex {
                try board.wait("an interrupt", until: { board.line.withLock { $0.level } })
            }
            board.acknowledgeInterrupts()
            while load.take() {}
        }
        #expect(load.completed == 20_000)
        #expect(!board.needsReset)
    }

    @Test func aPausedDeviceLeavesMemoryAlone() throws {
        let board = try TestBoard(BlockDevice(image: MemoryDisk(sectors: 64), io: TestLoop.io))
        try board.transport.start()
        defer { stop(board) }
        let queue = try board.bringUp(size: 256)
        let load = Load(queue, board.memory)
        for _ in 0..<50 {
            while load.post() {}
            board.notify()
            board.transport.pause()
            let used = queue.deviceUsedIndex
            let rises = board.line.withLock { $0.rises }
            let memory = try board.memory.bytes(at: TestBoard.base, count: 0x8000)
            board.notify()
            for _ in 0..<100 { _ = board.read(0x060) }
            #expect(queue.deviceUsedIndex == used)
            #expect(board.line.withLock { $0.rises } == rises)
            #expect(try board.memory.bytes(at: TestBoard.base, count: 0x8000) == memory)
            board.transport.resume()
            try board.wait(
                "the rest",
                until: {
                    while load.take() {}
                    return load.completed == load.posted
                })
        }
    }

    @Test func aDiskMovesFromProcessToProcessUnderLoad() throws {
        let image = MemoryDisk(sectors: 64)
        var board = try TestBoard(BlockDevice(image: image, io: TestLoop.io))
        try board.transport.start()
        let queue = try board.bringUp(size: 256)
        let load = Load(queue, board.memory)
        for round in 0..<60 {
            while load.post() {}
            board.notify()
            // Some completions of this round, none, or more.
            for _ in 0..<round { _ = load.take() }
            board.transport.pause()
            let state = try board.transport.save()
            let level = board.line.withLock { $0.level }
            board.transport.stop()

            let next = try TestBoard(BlockDevice(image: image, io: TestLoop.io), memory: board.memory)
            try next.transport.restore(SavedRecord(encoded: state.encoded(), limit: 1 << 20))
            #expect(try next.transport.save() == state)
            try next.transport.start()
            if level { #expect(next.line.withLock { $0.level }) }
            #expect(next.status == 0x0F)
            board = next
        }
        try board.wait(
            "the rest",
            until: {
                while load.take() {}
                return load.completed == load.posted
            })
        #expect(!board.needsReset)
        stop(board)
    }

    @Test func aRestoredDeviceThatNeedsAResetStillDoes() throws {
        let driver = try DiskDriver.start(MemoryDisk(sectors: 64))
        try driver.board.memory.storeRelease(100, at: driver.queue.available + 2)
        driver.board.notify()
        try driver.board.wait("the need of a reset", until: { driver.board.needsReset })
        driver.board.transport.pause()
        let state = try driver.board.transport.save()
        driver.board.transport.stop()
        let board = try TestBoard(
            BlockDevice(image: MemoryDisk(sectors: 64), io: TestLoop.io), memory: driver.board.memory)
        try board.transport.restore(state)
        try board.transport.start()
        defer { stop(board) }
        #expect(board.status == 0x4F)
        let again = try DiskDriver(board: board, queue: board.bringUp())
        #expect(try again.run(4) == (0, 1))
    }

    @Test func aStateThatDoesNotFitIsRefused() throws {
        let driver = try DiskDriver.start(MemoryDisk(sectors: 64))
        driver.board.transport.pause()
        let state = try driver.board.transport.save()
        driver.board.transport.stop()
        let memory = driver.board.memory
        func expect(
            _ error: SavedStateError, _ device: any VirtioDevice, _ memory: GuestMemory,
            at location: SourceLocation = #_sourceLocation
        ) throws {
            let board = try TestBoard(device, memory: memory)
            #expect(throws: error, sourceLocation: location) { try board.transport.restore(state) }
        }
        try expect(.badField(kind: "virtio-mmio", field: "deviceType"), EntropyDevice(), memory)
        try expect(
            .badField(kind: "virtio-block", field: "size"),
            BlockDevice(image: MemoryDisk(sectors: 65), io: TestLoop.io), memory)
        try expect(
            .badField(kind: "virtio-mmio", field: "driverFeatures"),
            BlockDevice(image: MemoryDisk(sectors: 64, isReadOnly: true), io: TestLoop.io), memory)
        try expect(
            .badField(kind: "virtio-mmio", field: "queues"),
            BlockDevice(image: MemoryDisk(sectors: 64), io: TestLoop.io, queueCount: 2), memory)
        try expect(
            .badField(kind: "virtio-queue", field: "size"),
            BlockDevice(image: MemoryDisk(sectors: 64), io: TestLoop.io),
            GuestMemory(ranges: [(0x1000, 0x1000)]))
    }

    @Test func theStateOfPowerOnComesBackWithAReset() throws {
        let driver = try DiskDriver.start(MemoryDisk(sectors: 64))
        defer { driver.stop() }
        #expect(try driver.run(4) == (0, 1))
        driver.board.transport.pause()
        driver.board.transport.reset()
        let fresh = try TestBoard(BlockDevice(image: MemoryDisk(sectors: 64), io: TestLoop.io))
        #expect(try driver.board.transport.save() == fresh.transport.save())
        #expect(!driver.board.line.withLock { $0.level })
        driver.board.transport.resume()
        let again = try DiskDriver(board: driver.board, queue: driver.board.bringUp())
        #expect(try again.run(4) == (0, 1))
    }

    @Test func severalQueuesServeAtTheSameTime() throws {
        let image = MemoryDisk(sectors: 64)
        let board = try TestBoard(BlockDevice(image: image, io: TestLoop.io, queueCount: 3))
        try board.transport.start()
        defer { stop(board) }
        board.negotiate()
        let queues = (0..<3).map { index in
            GuestQueue(memory: board.memory, base: TestBoard.base + 0x8000 * UInt64(index), size: 16)
        }
        for (index, queue) in queues.enumerated() { board.setUp(index, queue.layout()) }
        board.status = 0x0F
        image.hold()
        for (index, queue) in queues.enumerated() {
            let header = Self.requests + UInt64(index) * 64
            try board.memory.store(UInt64(index), at: header + 8)
            queue.setChain([.out(header, 16), .in(Self.data + UInt64(index) * 512, 512), .in(header + 16, 1)])
            queue.publish(0)
            board.notify(index)
        }
        try board.wait("all requests in flight", until: { image.state.withLock { $0.entered } == 3 })
        image.letGo()
        for queue in queues { #expect(try board.waitUsed(queue) == (0, 513)) }
        #expect(try board.memory.bytes(at: Self.data, count: 1536) == Array(image.bytes[..<1536]))
    }
}
