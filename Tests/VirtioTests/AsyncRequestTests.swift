import DiskImages
import GuestMemory
import HostSystem
import Testing
import Virtio
import VirtioDevices

/// Requests that the host has not finished when their driver, or the machine, goes on: on every transport.
@Suite("Requests in flight") struct AsyncRequestTests {
    enum Transport: CaseIterable { case mmio, pci }

    private static let header = TestBoard.base + 0x10_0000
    private static let data = TestBoard.base + 0x20_0000
    private static let untouched: UInt8 = 0xEE

    private func board(
        _ transport: Transport, _ image: MemoryDisk, queueCount: Int = 1, log: Log = .silent
    ) throws -> any DriverBoard {
        let device = BlockDevice(image: image, io: TestLoop.io, queueCount: queueCount)
        let board: any DriverBoard =
            switch transport {
            case .mmio: try TestBoard(device, log: log)
            case .pci: try PCIBoard(device, log: log)
            }
        try board.start()
        return board
    }

    /// Posts a read of one sector into a buffer of its own.
    private func postRead(_ number: Int, _ queue: GuestQueue, _ board: any DriverBoard, notifying index: Int = 0) throws
    {
        let header = Self.header + 64 * UInt64(number)
        try board.memory.store(UInt32(0), at: header)
        try board.memory.store(UInt64(number), at: header + 8)
        try board.memory.store(Self.untouched, at: header + 16)
        let head = UInt16(3 * (number % 5))
        queue.setChain([.out(header, 16), .in(buffer(number), 512), .in(header + 16, 1)], head: head)
        queue.publish(head)
        board.notify(index)
    }

    private func buffer(_ number: Int) -> UInt64 { Self.data + 512 * UInt64(number) }

    private func status(_ number: Int, _ board: any DriverBoard) throws -> UInt8 {
        try board.memory.load(at: Self.header + 64 * UInt64(number) + 16)
    }

    private func sector(_ number: Int, _ image: MemoryDisk) -> [UInt8] {
        Array(image.bytes[512 * number..<512 * (number + 1)])
    }

    /// Works with the device as a driver does that begins anew.
    private func expectAlive(_ board: any DriverBoard, _ image: MemoryDisk) throws {
        let queue = try board.bringUp()
        try postRead(4, queue, board)
        #expect(try board.waitUsed(queue).length == 513)
        #expect(try board.memory.bytes(at: buffer(4), count: 512) == sector(4, image))
    }

    @Test(
        "A reset returns though the host does not, reads as pending until the host has let go, and drops the request",
        arguments: Transport.allCases)
    func resetInFlight(_ transport: Transport) throws {
        let image = MemoryDisk(sectors: 64)
        let board = try board(transport, image)
        defer { board.stop() }
        let queue = try board.bringUp()
        image.hold()
        try postRead(1, queue, board)
        try board.wait("the request", until: { image.state.withLock { $0.entered } == 1 })
        board.status = 0
        #expect(board.status == 0x0F)
        // Nothing can be set up meanwhile.
        board.status = 1
        board.setUp(0, VirtQueueLayout(), ready: true)
        board.notify(0)
        #expect(board.status == 0x0F)
        image.letGo()
        try board.wait("the end of the reset", until: { board.status == 0 })
        #expect(queue.deviceUsedIndex == 0)
        #expect(try status(1, board) == Self.untouched)
        try expectAlive(board, image)
    }

    @Test(
        "A reset that arrives while a queue is being stopped resets the device, and the stop's end changes nothing",
        arguments: Transport.allCases)
    func resetWhileStopping(_ transport: Transport) throws {
        let image = MemoryDisk(sectors: 64)
        let board = try board(transport, image)
        defer { board.stop() }
        let queue = try board.bringUp()
        image.hold()
        try postRead(1, queue, board)
        try board.wait("the request", until: { image.state.withLock { $0.entered } == 1 })
        board.resetQueue(0)
        #expect(board.isQueueResetting(0))
        board.status = 0
        #expect(board.status == 0x0F)
        image.letGo()
        try board.wait("the end of the reset", until: { board.status == 0 })
        #expect(!board.isQueueResetting(0))
        #expect(queue.deviceUsedIndex == 0)
        try expectAlive(board, image)
    }

    @Test("Of two resets at once both are done when the status reads 0", arguments: Transport.allCases)
    func twoResets(_ transport: Transport) throws {
        let image = MemoryDisk(sectors: 64)
        let board = try board(transport, image)
        defer { board.stop() }
        for _ in 0..<20 {
            let queue = try board.bringUp()
            try postRead(1, queue, board)
            let other = try Background { board.resetQueue(0) }
            board.status = 0
            other.join()
            try board.wait("the end of the reset", until: { board.status == 0 })
        }
        try expectAlive(board, image)
    }

    @Test(
        "A queue's reset waits for its own requests only, and the queue can be set up again",
        arguments: Transport.allCases)
    func stopInFlight(_ transport: Transport) throws {
        let image = MemoryDisk(sectors: 64)
        let board = try board(transport, image, queueCount: 2)
        defer { board.stop() }
        let queues = try board.bringUp(queues: [0, 1])
        image.hold()
        try postRead(1, queues[0], board)
        try board.wait("the request", until: { image.state.withLock { $0.entered } == 1 })
        board.resetQueue(0)
        #expect(board.isQueueResetting(0))
        image.letGo()
        try board.wait("the end of the queue's reset", until: { !board.isQueueResetting(0) })
        #expect(queues[0].deviceUsedIndex == 0)
        #expect(try status(1, board) == Self.untouched)
        try postRead(2, queues[1], board, notifying: 1)
        #expect(try board.waitUsed(queues[1]) == (6, 513))
        queues[0].clear()
        board.setUp(0, queues[0].layout(), ready: true)
        try postRead(3, queues[0], board)
        #expect(try board.waitUsed(queues[0]) == (9, 513))
        #expect(try board.memory.bytes(at: buffer(3), count: 512) == sector(3, image))
    }

    @Test("The other queue works while the host holds back a queue that is being reset", arguments: Transport.allCases)
    func otherQueue(_ transport: Transport) throws {
        let image = MemoryDisk(sectors: 64)
        let board = try board(transport, image, queueCount: 2)
        defer { board.stop() }
        let queues = try board.bringUp(queues: [0, 1])
        image.hold()
        try postRead(1, queues[0], board)
        try board.wait("the request", until: { image.state.withLock { $0.entered } == 1 })
        board.resetQueue(0)
        #expect(board.isQueueResetting(0))
        image.state.update { $0.isHeld = false }
        try postRead(2, queues[1], board, notifying: 1)
        #expect(try board.waitUsed(queues[1]) == (6, 513))
        #expect(board.isQueueResetting(0))
        image.letGo()
        try board.wait("the end of the queue's reset", until: { !board.isQueueResetting(0) })
    }

    @Test(
        "A pause ends when every request has come back to the driver, and takes no further one",
        arguments: Transport.allCases)
    func pauseInFlight(_ transport: Transport) throws {
        let image = MemoryDisk(sectors: 64)
        let board = try board(transport, image)
        defer { board.stop() }
        let queue = try board.bringUp()
        image.hold()
        for number in 0..<3 { try postRead(number, queue, board) }
        try board.wait("the requests", until: { image.state.withLock { $0.entered } == 3 })
        let hasPaused = Monitor(false)
        let pausing = try Background {
            board.pause()
            hasPaused.update { $0 = true }
        }
        TestLoop.shared.sync {}
        #expect(hasPaused.withLock { !$0 })
        #expect(queue.deviceUsedIndex == 0)
        image.letGo()
        pausing.join()
        #expect(queue.deviceUsedIndex == 3)
        for number in 0..<3 {
            #expect(try board.memory.bytes(at: buffer(number), count: 512) == sector(number, image))
        }
        try postRead(3, queue, board)
        TestLoop.shared.sync {}
        #expect(queue.deviceUsedIndex == 3)
        board.resume()
        try board.wait("the last one", until: { queue.deviceUsedIndex == 4 })
    }

    @Test("Requests come back in the order in which the host finishes them", arguments: Transport.allCases)
    func order(_ transport: Transport) throws {
        let image = MemoryDisk(sectors: 64)
        let board = try board(transport, image)
        defer { board.stop() }
        let queue = try board.bringUp()
        image.hold()
        for number in 0..<5 { try postRead(number, queue, board) }
        try board.wait("the requests", until: { image.state.withLock { $0.entered } == 5 })
        image.letGo(lastFirst: true)
        for number in (0..<5).reversed() {
            #expect(try board.waitUsed(queue) == (UInt32(3 * number), 513))
            #expect(try board.memory.bytes(at: buffer(number), count: 512) == sector(number, image))
        }
    }

    @Test(
        "A read marks guest memory as modified when the data is there, not before, and also when its queue has been stopped",
        arguments: [false, true])
    func marks(_ isStopped: Bool) throws {
        let image = MemoryDisk(sectors: 64)
        let board = try board(.pci, image)
        defer { board.stop() }
        let queue = try board.bringUp()
        let page = Int((buffer(1) - TestBoard.base) >> 12)
        board.memory.watch.watch(page)
        let watched = board.memory.watch.version(of: page)
        image.hold()
        try postRead(1, queue, board)
        try board.wait("the request", until: { image.state.withLock { $0.entered } == 1 })
        TestLoop.shared.sync {}
        #expect(board.memory.watch.version(of: page) == watched)
        if isStopped { board.resetQueue(0) }
        #expect(board.memory.watch.version(of: page) == watched)
        image.letGo()
        if isStopped {
            try board.wait("the queue's reset", until: { !board.isQueueResetting(0) })
        } else {
            _ = try board.waitUsed(queue)
        }
        #expect(board.memory.watch.version(of: page) == watched &+ 1)
        #expect(try board.memory.bytes(at: buffer(1), count: 512) == sector(1, image))
    }

    @Test(
        "The reason for which a device needs a reset is logged with its name and its cause",
        arguments: Transport.allCases)
    func reasons(_ transport: Transport) throws {
        let messages = Monitor<[LogMessage]>([])
        let log = Log(level: .warning) { message in messages.update { $0.append(message) } }
        let board = try board(transport, MemoryDisk(sectors: 64), log: log)
        defer { board.stop() }
        let queue = try board.bringUp()
        try board.memory.storeRelease(17, at: queue.available + 2)
        board.notify(0)
        try board.wait("the need of a reset", until: { board.needsReset })
        board.negotiate(.max)
        var layout = queue.layout()
        layout.descriptors = 0
        board.setUp(0, layout, ready: true)
        #expect(board.needsReset)
        #expect(
            messages.withLock { $0 }.map { "\($0.level) \($0.subject): \($0.text)" } == [
                "warning virtio0: the driver has to reset the device: the available index jumped from 0 to 17",
                "warning virtio0: the driver has to reset the device: guest-physical range 0x0, 256 bytes, "
                    + "is not in the guest's memory",
            ])
    }
}
