import GuestMemory
import Testing
import Virtio

/// Rings that break the rules: each ends in an error that says which.
@Suite struct HostileQueueTests {
    private static let data = VirtQueueTests.data
    private static let table = VirtQueueTests.table
    private static let end = TestBoard.base + TestBoard.size

    private func expect(
        _ error: VirtQueueError, size: UInt16 = 8, features: UInt64 = VirtioFeatures.common,
        at location: SourceLocation = #_sourceLocation, _ prepare: (GuestQueue) -> Void
    ) throws {
        let pair = try VirtQueueTests.Pair(size: size, features: features)
        prepare(pair.driver)
        #expect(throws: error, sourceLocation: location) { _ = try pair.device.pop() }
    }

    @Test func aLoopOfDescriptorsIsAChainThatIsTooLong() throws {
        try expect(.chainTooLong(limit: 8)) { queue in
            queue.setDescriptor(0, address: Self.data, length: 1, flags: GuestQueue.next, next: 1)
            queue.setDescriptor(1, address: Self.data, length: 1, flags: GuestQueue.next, next: 0)
            queue.publish(0)
        }
        try expect(.chainTooLong(limit: 1), size: 1) { queue in
            queue.setDescriptor(0, address: Self.data, length: 1, flags: GuestQueue.next, next: 0)
            queue.publish(0)
        }
        try expect(.chainTooLong(limit: 3)) { queue in
            for index in UInt16(0)..<3 {
                queue.setDescriptor(
                    index, address: Self.data, length: 0, flags: GuestQueue.next, next: (index + 1) % 3,
                    table: Self.table)
            }
            queue.setDescriptor(0, address: Self.table, length: 48, flags: GuestQueue.indirect)
            queue.publish(0)
        }
    }

    @Test func anIndirectChainIsBounded() throws {
        func prepare(_ queue: GuestQueue, _ count: UInt16) {
            for index in 0..<count {
                let isLast = index == count - 1
                queue.setDescriptor(
                    index, address: Self.data, length: 1, flags: isLast ? 0 : GuestQueue.next,
                    next: isLast ? 0 : index + 1, table: Self.table)
            }
            queue.setDescriptor(0, address: Self.table, length: 16 * UInt32(count), flags: GuestQueue.indirect)
            queue.publish(0)
        }
        try expect(.chainTooLong(limit: 1024)) { prepare($0, 1025) }
        let pair = try VirtQueueTests.Pair(size: 8)
        prepare(pair.driver, 1024)
        #expect(try pair.device.pop()?.readable.count == 1024)
    }

    @Test func indicesOutsideOfTheTableAreRefused() throws {
        try expect(.badDescriptorIndex(8)) { $0.publish(8) }
        try expect(.badDescriptorIndex(0xFFFF)) { $0.publish(0xFFFF) }
        try expect(.badDescriptorIndex(9)) { queue in
            queue.setDescriptor(0, address: Self.data, length: 1, flags: GuestQueue.next, next: 9)
            queue.publish(0)
        }
        try expect(.badDescriptorIndex(2)) { queue in
            queue.setDescriptor(0, address: Self.data, length: 1, flags: GuestQueue.next, next: 2, table: Self.table)
            queue.setDescriptor(0, address: Self.table, length: 32, flags: GuestQueue.indirect)
            queue.publish(0)
        }
    }

    @Test(
        arguments: [
            (TestBoard.base - 1, UInt32(1)), (0, 1), (TestBoard.base + TestBoard.size, 1),
            (TestBoard.base + TestBoard.size - 1, 2), (UInt64.max, 1), (UInt64.max - 15, 16), (UInt64.max, UInt32.max),
            (TestBoard.base, UInt32.max),
        ] as [(UInt64, UInt32)])
    func buffersOutsideOfMemoryAreRefused(_ address: UInt64, _ length: UInt32) throws {
        let error = VirtQueueError.outsideMemory(address: address, count: UInt64(length))
        for flags in [UInt16(0), GuestQueue.write] {
            try expect(error) { queue in
                queue.setDescriptor(0, address: address, length: length, flags: flags)
                queue.publish(0)
            }
            try expect(error) { queue in
                queue.setDescriptor(0, address: address, length: length, flags: flags, table: Self.table)
                queue.setDescriptor(0, address: Self.table, length: 16, flags: GuestQueue.indirect)
                queue.publish(0)
            }
        }
    }

    @Test func tablesOutsideOfMemoryAreRefused() throws {
        for address in [Self.end - 16, UInt64.max - 31, 0] {
            try expect(.outsideMemory(address: address, count: 32)) { queue in
                queue.setDescriptor(0, address: address, length: 32, flags: GuestQueue.indirect)
                queue.publish(0)
            }
        }
    }

    @Test(arguments: [UInt32(0), 1, 15, 17, 40, 0x10_0010, .max])
    func oddTableSizesAreRefused(_ length: UInt32) throws {
        try expect(.badIndirectTable(bytes: length)) { queue in
            queue.setDescriptor(0, address: Self.table, length: length, flags: GuestQueue.indirect)
            queue.publish(0)
        }
    }

    @Test func indirectDescriptorsMustBeLastAndOutsideOfTables() throws {
        try expect(.misplacedIndirect) { queue in
            queue.setDescriptor(
                0, address: Self.table, length: 16, flags: GuestQueue.indirect | GuestQueue.next, next: 1)
            queue.publish(0)
        }
        try expect(.misplacedIndirect) { queue in
            queue.setDescriptor(0, address: Self.table, length: 16, flags: GuestQueue.indirect, table: Self.table)
            queue.setDescriptor(0, address: Self.table, length: 16, flags: GuestQueue.indirect)
            queue.publish(0)
        }
        try expect(.indirectNotNegotiated, features: VirtioFeatures.version1) { queue in
            queue.setDescriptor(0, address: Self.table, length: 16, flags: GuestQueue.indirect)
            queue.publish(0)
        }
    }

    @Test func aReadableBufferAfterAWritableOneIsRefused() throws {
        try expect(.readableAfterWritable) { queue in
            queue.setChain([.in(Self.data, 1), .out(Self.data, 1)])
            queue.publish(0)
        }
        try expect(.readableAfterWritable) { queue in
            queue.setChain([.in(Self.data, 0), .out(Self.data, 1)])
            queue.publish(0)
        }
    }

    @Test func aChainOfMoreThan4GiBIsRefused() throws {
        try expect(.chainTooLarge) { queue in
            for index in UInt16(0)..<1024 {
                queue.setDescriptor(
                    index, address: TestBoard.base, length: UInt32(TestBoard.size),
                    flags: GuestQueue.next, next: index + 1, table: Self.table)
            }
            queue.setDescriptor(0, address: Self.table, length: 16 * 1024, flags: GuestQueue.indirect)
            queue.publish(0)
        }
    }

    @Test(arguments: [UInt16(9), 100, 0x8000, 0xFFFF])
    func anAvailableIndexThatJumpsIsRefused(_ index: UInt16) throws {
        try expect(.indexJump(from: 0, to: index)) { queue in
            try! queue.memory.storeRelease(index, at: queue.available + 2)
        }
    }

    @Test func moreRequestsThanDescriptorsAreRefused() throws {
        let pair = try VirtQueueTests.Pair(size: 2)
        pair.driver.setChain([.in(Self.data, 1)])
        for _ in 0..<2 {
            pair.driver.publish(0)
            #expect(try pair.device.pop() != nil)
        }
        pair.driver.publish(0)
        #expect(throws: VirtQueueError.tooManyOutstanding) { _ = try pair.device.pop() }
    }

    @Test func queuesThatCannotBeAreRefused() throws {
        let memory = try GuestMemory(ranges: [(TestBoard.base, TestBoard.size)])
        func expect(
            _ error: VirtQueueError, at location: SourceLocation = #_sourceLocation,
            _ change: (inout VirtQueueLayout) -> Void
        ) {
            var layout = GuestQueue(memory: memory, base: TestBoard.base, size: 16).layout()
            change(&layout)
            #expect(throws: error, sourceLocation: location) {
                _ = try VirtQueue(index: 0, layout: layout, limit: 256, memory: memory, features: .max)
            }
        }
        for size in [UInt16(0), 3, 255, 257, 512, 0x8000, 0xFFFF] {
            expect(.badSize(size, limit: 256)) { $0.size = size }
        }
        expect(.misaligned(address: TestBoard.base + 8, alignment: 16)) { $0.descriptors += 8 }
        expect(.misaligned(address: TestBoard.base + 257, alignment: 2)) { $0.available += 1 }
        expect(.misaligned(address: TestBoard.base + 2, alignment: 4)) { $0.used = TestBoard.base + 2 }
        expect(.outsideMemory(address: 0, count: 256)) { $0.descriptors = 0 }
        expect(.outsideMemory(address: Self.end - 240, count: 256)) { $0.descriptors = Self.end - 240 }
        expect(.outsideMemory(address: Self.end - 36, count: 38)) { $0.available = Self.end - 36 }
        expect(.outsideMemory(address: .max - 3, count: 134)) { $0.used = .max - 3 }
    }
}
