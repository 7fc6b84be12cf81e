import GuestMemory
import HostSystem
import Testing
import Virtio
import VirtioDevices

/// Drivers that reset their device and stop its queues whenever it is least convenient.
@Suite struct HostileTimingTests {
    private static let requests = TestBoard.base + 0x10_0000
    private static let data = TestBoard.base + 0x20_0000

    private func post(_ number: Int, _ queue: GuestQueue, _ board: any DriverBoard) throws {
        let header = Self.requests + 64 * UInt64(number)
        try board.memory.store(UInt32(number % 2), at: header)
        try board.memory.store(UInt64(number), at: header + 8)
        let data = GuestQueue.Buffer(
            address: Self.data + 512 * UInt64(number), length: 512, isWritable: number % 2 == 0)
        let head = UInt16(3 * number)
        let chain: [GuestQueue.Buffer] = [.out(header, 16), data, .in(header + 16, 1)]
        queue.setChain(chain, head: head)
        queue.publish(head)
        board.notify(0)
    }

    @Test(arguments: AsyncRequestTests.Transport.allCases, 0..<6)
    func resetsAndStopsAndPausesAmidRequestsDoNoHarm(
        _ transport: AsyncRequestTests.Transport, _ seed: UInt64
    ) throws {
        let image = MemoryDisk(sectors: 64)
        let device = BlockDevice(image: image, io: TestLoop.io)
        let board: any DriverBoard = transport == .mmio ? try TestBoard(device) : try PCIBoard(device)
        try board.start()
        defer { board.stop() }
        var state = seed &+ 1
        func random(_ limit: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % limit
        }
        for _ in 0..<25 {
            let queue = try board.bringUp(size: 64)
            let isHeld = random(4) == 0
            if isHeld { image.hold() }
            let count = Int(random(20))
            for number in 0..<count { try post(number, queue, board) }
            let releaser = isHeld ? try Background { image.letGo(lastFirst: true) } : nil
            switch random(4) {
            case 0: board.status = 0
            case 1: board.resetQueue(0)
            case 2:
                board.pause()
                let used = queue.deviceUsedIndex
                let memory = try board.memory.bytes(at: Self.data, count: 0x8000)
                TestLoop.shared.sync {}
                #expect(queue.deviceUsedIndex == used)
                #expect(try board.memory.bytes(at: Self.data, count: 0x8000) == memory)
                board.resume()
            default: board.notify(0)
            }
            releaser?.join()
            board.status = 0
            try board.wait("the reset", until: { board.status == 0 })
            // From here on the memory is the driver's.
            let memory = try board.memory.bytes(at: Self.requests, count: 0x20_0000)
            TestLoop.shared.sync {}
            #expect(try board.memory.bytes(at: Self.requests, count: 0x20_0000) == memory)
        }
        let queue = try board.bringUp()
        try post(2, queue, board)
        #expect(try board.waitUsed(queue) == (6, 513))
        #expect(!board.needsReset)
    }
}
