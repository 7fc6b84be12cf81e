import GuestMemory
import HostSystem
import Machine
import TestSupport
import Testing
import Virtio
import VirtioDevices

extension SeededGenerator {
    /// A number that is often an interesting one.
    fileprivate mutating func odd() -> UInt64 {
        switch next() % 8 {
        case 0: 0
        case 1: .max
        case 2: 1 << (next() % 64)
        case 3: (1 << (next() % 64)) &- 1
        case 4: next() % 16
        case 5: TestBoard.base &+ next() % TestBoard.size
        case 6: TestBoard.base &+ TestBoard.size &- next() % 64
        default: next()
        }
    }
}

/// Drivers that write at random. They must end nothing but their own device's work.
@Suite struct FuzzTests {
    private static let data = TestBoard.base + 0x10_0000

    private func devices() -> [(any VirtioDevice, MemoryDisk?)] {
        let image = MemoryDisk(sectors: 64)
        let channel = TestChannel()
        channel.state.update { $0.input = Array(repeating: 65, count: 100) }
        return [
            (BlockDevice(image: image, io: TestLoop.io), image), (ConsoleDevice(channel: channel), nil),
            (EntropyDevice(), nil),
            (MemoryDevice(base: TestBoard.base + MemoryDevice.blockSize, size: MemoryDevice.blockSize), nil),
        ]
    }

    /// Works with the device as a driver that behaves, after whatever happened before.
    private func expectAlive(_ board: TestBoard, _ seed: UInt64) throws {
        let index = board.transport.device.type == .console ? 1 : 0
        let queue = try board.bringUp(queue: index)
        try board.memory.clear(at: Self.data, count: 4096)
        let direction: [GuestQueue.Buffer] =
            index == 1 ? [.out(Self.data, 16)] : [.out(Self.data, 16), .in(Self.data + 32, 1)]
        try board.memory.store(UInt32(4), at: Self.data)
        queue.setChain(direction)
        queue.publish(0)
        board.notify(index)
        let used = try board.waitUsed(queue)
        #expect(used.head == 0, "seed \(seed)")
        #expect(!board.needsReset, "seed \(seed)")
    }

    @Test(arguments: 0..<UInt64(12)) func randomRegistersDoNoHarm(_ seed: UInt64) throws {
        for (device, _) in devices() {
            let board = try TestBoard(device)
            try board.transport.start()
            var random = SeededGenerator(seed: seed)
            for _ in 0..<4000 {
                let offset = random.next() % 4 == 0 ? random.next() % 0x200 : random.next() % 0x48 * 4
                let size = random.next() % 8 == 0 ? [1, 2, 8][Int(random.next() % 3)] : 4
                if random.next() % 3 == 0 {
                    _ = board.transport.read(offset: offset, size: size)
                } else if random.next() % 16 == 0 {
                    board.status = [0, 1, 3, 0x0B, 0x0F][Int(random.next() % 5)]
                } else {
                    board.transport.write(offset: offset, size: size, value: random.odd())
                }
            }
            try expectAlive(board, seed)
            board.transport.pause()
            board.transport.stop()
        }
    }

    @Test(arguments: 100..<UInt64(112)) func randomRingsDoNoHarm(_ seed: UInt64) throws {
        for (device, image) in devices() {
            let board = try TestBoard(device)
            try board.transport.start()
            var random = SeededGenerator(seed: seed)
            let count = device.queueSizes.count
            for _ in 0..<60 {
                let size = UInt16(1) << UInt16(random.next() % 5)
                board.negotiate(random.next() % 2 == 0 ? .max : random.next())
                let queues = (0..<count).map { index in
                    GuestQueue(memory: board.memory, base: TestBoard.base + 0x8000 * UInt64(index), size: size)
                }
                for (index, queue) in queues.enumerated() { board.setUp(index, queue.layout()) }
                board.status = 0x0F
                for _ in 0..<20 where !board.needsReset {
                    let queue = queues[Int(random.next() % UInt64(count))]
                    scribble(queue, &random)
                    board.notify(Int(random.next() % UInt64(count + 1)))
                }
                if random.next() % 2 == 0 { board.transport.pause(); board.transport.resume() }
            }
            try expectAlive(board, seed)
            board.transport.pause()
            board.transport.stop()
            // A disk never grows or shrinks by what a driver does.
            if let image { #expect(image.bytes.count == 64 * 512) }
        }
    }

    /// Writes descriptors, a request's header and the available ring, mostly nearly right, and publishes.
    private func scribble(_ queue: GuestQueue, _ random: inout SeededGenerator) {
        let memory = queue.memory
        try! memory.store(UInt32(truncatingIfNeeded: random.next() % 16), at: Self.data)
        try! memory.store(random.next() % 4 == 0 ? random.odd() : random.next() % 64, at: Self.data + 8)
        for index in 0..<queue.size {
            for table in [nil, Self.data + 0x8000] {
                let isData = random.next() % 8 != 0
                let isTable = table == nil && random.next() % 6 == 0
                let address = isTable ? Self.data + 0x8000 : isData ? Self.data + random.next() % 0x4000 : random.odd()
                let sizes: [UInt64] = [1, 16, 512, 1024, 4096, UInt64(queue.size) * 16, random.odd()]
                queue.setDescriptor(
                    index, address: index == 0 && table == nil ? Self.data : address,
                    length: UInt32(truncatingIfNeeded: sizes[Int(random.next() % 7)]),
                    flags: isTable ? 4 : UInt16(random.next() % 8 == 0 ? random.next() % 65536 : random.next() % 4),
                    next: random.next() % 4 == 0 ? UInt16(truncatingIfNeeded: random.next()) : (index + 1) % queue.size,
                    table: table)
            }
        }
        queue.publish(random.next() % 8 == 0 ? UInt16(truncatingIfNeeded: random.next()) : 0)
        if random.next() % 32 == 0 {
            try! memory.store(UInt16(truncatingIfNeeded: random.next()), at: queue.available + 2)
        }
    }
}
