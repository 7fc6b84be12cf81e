import Glibc
import GuestMemory
import HostSystem
import SavedState
import Testing
import Virtio
import VirtioDevices

@Suite struct MemoryDeviceTests {
    private static let region: UInt64 = 0x1_0000_0000
    private static let block = MemoryDevice.blockSize
    private static let blocks: UInt64 = 100
    private static let request = TestBoard.base + 0x10_0000
    private static let response = TestBoard.base + 0x20_0000

    private enum Kind {
        static let plug: UInt16 = 0
        static let unplug: UInt16 = 1
        static let unplugAll: UInt16 = 2
        static let state: UInt16 = 3
    }

    private enum Answer {
        static let acknowledged: UInt16 = 0
        static let refused: UInt16 = 1
        static let error: UInt16 = 3
    }

    /// The memory of a machine with a region behind a gap.
    private static func memory() throws -> GuestMemory {
        try GuestMemory(ranges: [(TestBoard.base, TestBoard.size), (region, blocks * block)])
    }

    /// A memory device with its driver.
    private struct Driver {
        let device: MemoryDevice
        let board: any DriverBoard
        let queue: GuestQueue

        init(onPCI: Bool = false, memory: GuestMemory? = nil) throws {
            device = MemoryDevice(base: region, size: blocks * block)
            let memory = try memory ?? MemoryDeviceTests.memory()
            board = onPCI ? try PCIBoard(device, memory: memory) : try TestBoard(device, memory: memory)
            try board.start()
            queue = try board.bringUp(size: 16)
        }

        static func bytes(_ kind: UInt16, _ address: UInt64, _ count: UInt16) -> [UInt8] {
            func little(_ value: UInt64, _ size: UInt64) -> [UInt8] {
                (0..<size).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
            }
            return little(UInt64(kind), 8) + little(address, 8) + little(UInt64(count), 8)
        }

        func publish(_ bytes: [UInt8], room: Int = 10) throws {
            try board.memory.write(bytes, at: request)
            try board.memory.write([UInt8](repeating: 0xFF, count: 16), at: response)
            queue.setChain([.out(request, bytes.count)] + (room > 0 ? [.in(response, room)] : []))
            queue.publish(0)
        }

        /// The type of the answer, and the state in it.
        @discardableResult
        func ask(_ kind: UInt16, from first: UInt64 = 0, _ count: UInt16 = 0) throws -> (type: UInt16, state: UInt16) {
            try ask(Driver.bytes(kind, region &+ first &* block, count))
        }

        func ask(_ bytes: [UInt8]) throws -> (type: UInt16, state: UInt16) {
            try publish(bytes)
            board.notify(0)
            #expect(try board.waitUsed(queue) == (0, 10))
            return (try board.memory.load(at: response), try board.memory.load(at: response + 8))
        }

        var plugged: UInt64 { device.status.plugged / block }
    }

    // MARK: Plugging

    @Test(arguments: [false, true]) func memoryGrowsAndGoesBackToTheHost(onPCI: Bool) throws {
        let driver = try Driver(onPCI: onPCI)
        defer { driver.board.stop() }
        driver.device.request(8 * Self.block)
        #expect(try driver.ask(Kind.plug, from: 2, 8).type == Answer.acknowledged)
        #expect(driver.device.status == .init(requested: 8 * Self.block, plugged: 8 * Self.block))
        let memory = driver.board.memory
        let data = [UInt8](repeating: 7, count: Int(8 * Self.block))
        try memory.write(data, at: Self.region + 2 * Self.block)
        let full = memory.residentSize
        #expect(full >= 8 * Self.block)
        #expect(try driver.ask(Kind.unplug, from: 3, 5).type == Answer.acknowledged)
        #expect(memory.residentSize == full - 5 * Self.block)
        #expect(driver.plugged == 3)
        #expect(try memory.load(UInt64.self, at: Self.region + 3 * Self.block) == 0)
        #expect(try memory.load(UInt8.self, at: Self.region + 3 * Self.block - 1) == 7)
        #expect(try memory.load(UInt8.self, at: Self.region + 8 * Self.block) == 7)
        #expect(try driver.ask(Kind.state, from: 3, 5) == (Answer.acknowledged, 1))
        #expect(try driver.ask(Kind.state, from: 8, 2) == (Answer.acknowledged, 0))
        #expect(try driver.ask(Kind.state, from: 2, 3) == (Answer.acknowledged, 2))
        #expect(!driver.board.needsReset)
    }

    @Test func theConfigurationSaysWhatIsWantedAndTheDriverIsTold() throws {
        let driver = try Driver()
        defer { driver.board.stop() }
        let board = try #require(driver.board as? TestBoard)
        func words() -> [UInt64] {
            (0..<7).map { index in
                UInt64(board.read(0x100 + 8 * UInt64(index))) | UInt64(board.read(0x104 + 8 * UInt64(index))) << 32
            }
        }
        let size = Self.blocks * Self.block
        #expect(words() == [Self.block, 0, Self.region, size, size, 0, 0])
        let before = board.line.withLock(\.rises)
        driver.device.request(4 * Self.block)
        try board.wait("a signal", until: { board.line.withLock(\.rises) > before })
        try driver.ask(Kind.plug, 3)
        #expect(words() == [Self.block, 0, Self.region, size, size, 3 * Self.block, 4 * Self.block])
        // The driver cannot write there.
        board.write(0x100 + 40, 0xFFFF_FFFF)
        board.write(0x100 + 48, 0xFFFF_FFFF)
        #expect(words()[5...] == [3 * Self.block, 4 * Self.block])
    }

    @Test func allBlocksAreUnpluggedAtOnceWhateverTheirNumber() throws {
        let driver = try Driver()
        defer { driver.board.stop() }
        driver.device.request(Self.blocks * Self.block)
        #expect(try driver.ask(Kind.plug, UInt16(Self.blocks)).type == Answer.acknowledged)
        for block in [0, 31, 32, Self.blocks - 1] {
            try driver.board.memory.store(block + 1, at: Self.region + block * Self.block)
        }
        // The shortest form of the request.
        #expect(try driver.ask(Array(Driver.bytes(Kind.unplugAll, 0, 0)[..<8])).type == Answer.acknowledged)
        #expect(driver.plugged == 0)
        for block in [0, 31, 32, Self.blocks - 1] {
            #expect(try driver.board.memory.load(UInt64.self, at: Self.region + block * Self.block) == 0)
        }
    }

    // MARK: Hostile drivers

    @Test func requestsThatBreakTheRulesChangeNothing() throws {
        let driver = try Driver()
        defer { driver.board.stop() }
        // Nothing is wanted.
        #expect(try driver.ask(Kind.plug, 1).type == Answer.refused)
        driver.device.request(10 * Self.block)
        #expect(try driver.ask(Kind.plug, from: 4, 4).type == Answer.acknowledged)
        let wrong: [(kind: UInt16, address: UInt64, count: UInt16, answer: UInt16)] = [
            // No blocks; not aligned; in front of, behind and across the ends; a sum that overflows.
            (Kind.plug, Self.region, 0, Answer.error), (Kind.plug, Self.region + 4096, 1, Answer.error),
            (Kind.plug, Self.region - Self.block, 1, Answer.error),
            (Kind.plug, Self.region - Self.block, 2, Answer.error),
            (Kind.plug, Self.region + Self.blocks * Self.block, 1, Answer.error),
            (Kind.plug, Self.region + (Self.blocks - 1) * Self.block, 2, Answer.error),
            (Kind.plug, UInt64.max - Self.block + 1, 1, Answer.error),
            (Kind.plug, UInt64.max - Self.block + 1, .max, Answer.error), (Kind.plug, Self.region, .max, Answer.error),
            (Kind.plug, TestBoard.base, 1, Answer.error),
            // Twice; across what is plugged; more than wanted.
            (Kind.plug, Self.region + 4 * Self.block, 1, Answer.error),
            (Kind.plug, Self.region + 2 * Self.block, 3, Answer.error),
            (Kind.plug, Self.region + 8 * Self.block, 7, Answer.refused),
            // What is not plugged, wholly and in part; and places as above.
            (Kind.unplug, Self.region, 1, Answer.error), (Kind.unplug, Self.region + 3 * Self.block, 2, Answer.error),
            (Kind.unplug, Self.region + 7 * Self.block, 2, Answer.error),
            (Kind.unplug, Self.region + 4 * Self.block, 0, Answer.error),
            (Kind.unplug, Self.region + 4 * Self.block + 1, 1, Answer.error),
            (Kind.unplug, TestBoard.base, 1, Answer.error), (Kind.state, Self.region, 0, Answer.error),
            (Kind.state, Self.region + Self.blocks * Self.block, 1, Answer.error), (4, Self.region, 1, Answer.error),
            (.max, Self.region, 1, Answer.error),
        ]
        for (kind, address, count, answer) in wrong {
            #expect(try driver.ask(Driver.bytes(kind, address, count)).type == answer, "\(kind) \(address) \(count)")
            #expect(driver.plugged == 4)
        }
        #expect(try driver.ask(Kind.state, from: 4, 4) == (Answer.acknowledged, 0))
        #expect(!driver.board.needsReset)
    }

    @Test func buffersThatAreTooShortChangeNothing() throws {
        let driver = try Driver()
        defer { driver.board.stop() }
        driver.device.request(4 * Self.block)
        for count in [0, 1, 7, 8, 23] {
            #expect(try driver.ask(Array(Driver.bytes(Kind.plug, Self.region, 1)[..<count])).type == Answer.error)
        }
        #expect(driver.plugged == 0)
        // An answer without room is none, and nothing is done.
        for room in [0, 1, 9] {
            try driver.publish(Driver.bytes(Kind.plug, Self.region, 1), room: room)
            driver.board.notify(0)
            #expect(try driver.board.waitUsed(driver.queue) == (0, 0))
        }
        #expect(driver.plugged == 0)
        #expect(!driver.board.needsReset)
    }

    @Test func aDriverThatResetsTheDeviceKeepsItsMemory() throws {
        let driver = try Driver()
        defer { driver.board.stop() }
        driver.device.request(80 * Self.block)
        try driver.ask(Kind.plug, 80)
        try driver.board.memory.store(UInt64(9), at: Self.region + 79 * Self.block)
        // In the middle of a request, as it happens.
        for _ in 0..<20 {
            try driver.publish(Driver.bytes(Kind.unplug, Self.region, 70))
            driver.board.notify(0)
            driver.board.status = 0
            try driver.board.wait("the reset", until: { driver.board.status == 0 })
            _ = try driver.board.bringUp(size: 16)
            driver.queue.clear()
            // What is left is plugged: blocks from the end on.
            let left = driver.plugged
            #expect((10...80).contains(left))
            #expect(try driver.board.memory.load(UInt64.self, at: Self.region + 79 * Self.block) == 9)
            if left < 80 { break }
        }
        #expect(driver.device.status.requested == 80 * Self.block)
        driver.board.pause()
        driver.device.unplugAll(in: driver.board.memory)
        #expect(driver.plugged == 0)
        #expect(try driver.board.memory.load(UInt64.self, at: Self.region + 79 * Self.block) == 0)
        driver.board.resume()
    }

    @Test(arguments: 0..<UInt64(4)) func randomRequestsDoWhatAListOfBlocksSays(seed: UInt64) throws {
        let driver = try Driver()
        defer { driver.board.stop() }
        var plugged = Set<UInt64>()
        var state = seed
        func random(_ limit: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % limit
        }
        for _ in 0..<400 {
            if random(8) == 0 { driver.device.request(random(Self.blocks + 1) * Self.block) }
            let kind = UInt16(random(4))
            let (first, count) = (random(Self.blocks + 2), UInt16(random(12)))
            let range = Set(first..<first + UInt64(count))
            let isInside = count > 0 && first + UInt64(count) <= Self.blocks
            let requested = driver.device.status.requested / Self.block
            var expected = Answer.error
            switch kind {
            case Kind.plug where isInside && plugged.count + range.count > requested: expected = Answer.refused
            case Kind.plug where isInside && plugged.isDisjoint(with: range):
                expected = Answer.acknowledged
                plugged.formUnion(range)
            case Kind.unplug where isInside && plugged.isSuperset(of: range):
                expected = Answer.acknowledged
                plugged.subtract(range)
            case Kind.unplugAll:
                expected = Answer.acknowledged
                plugged = []
            case Kind.state where isInside: expected = Answer.acknowledged
            default: break
            }
            #expect(try driver.ask(kind, from: first, count).type == expected)
            #expect(driver.plugged == UInt64(plugged.count))
        }
        for block in 0..<Self.blocks {
            #expect(try driver.ask(Kind.state, from: block, 1).state == (plugged.contains(block) ? 0 : 1))
        }
    }

    // MARK: Memory with contents

    @Test func aBlockOfRestoredMemoryReadsAsZeroWhenItIsUnplugged() throws {
        let size = TestBoard.size + Self.blocks * Self.block
        let file = try makeMemoryFile(name: "contents", size: size)
        let pattern = [UInt8](repeating: 3, count: 4096)
        for block in [UInt64(0), 5] {
            let offset = off_t(TestBoard.size + block * Self.block + 8192)
            #expect(pwrite(file.rawValue, pattern, pattern.count, offset) == pattern.count)
        }
        let memory = try GuestMemory(
            ranges: [(TestBoard.base, TestBoard.size), (Self.region, Self.blocks * Self.block)],
            contents: try MemorySource(files: [file.rawValue], size: size))
        let driver = try Driver(memory: memory)
        defer { driver.board.stop() }
        driver.device.request(6 * Self.block)
        try driver.ask(Kind.plug, 6)
        #expect(try memory.load(UInt8.self, at: Self.region + 8192) == 3)
        try memory.store(UInt8(4), at: Self.region + Self.block)
        try driver.ask(Kind.unplug, 3)
        #expect(try memory.load(UInt8.self, at: Self.region + 8192) == 0)
        #expect(try memory.load(UInt8.self, at: Self.region + Self.block) == 0)
        #expect(try memory.load(UInt8.self, at: Self.region + 5 * Self.block + 8192) == 3)
    }

    // MARK: State

    @Test func savedBlocksAreThereAgain() throws {
        let driver = try Driver()
        defer { driver.board.stop() }
        driver.device.request(20 * Self.block)
        try driver.ask(Kind.plug, from: 1, 9)
        try driver.ask(Kind.plug, from: 99, 1)
        driver.board.pause()
        let saved = try driver.device.save()
        driver.board.resume()
        let other = MemoryDevice(base: Self.region, size: Self.blocks * Self.block)
        try other.restore(saved)
        #expect(other.status == .init(requested: 20 * Self.block, plugged: 10 * Self.block))
        #expect(other.configuration == driver.device.configuration)
        #expect(try other.save() == saved)
    }

    @Test func aStateOfAnotherRegionOrWithWrongFieldsIsRefused() throws {
        let device = MemoryDevice(base: Self.region, size: Self.blocks * Self.block)
        let good = try device.save()
        let wrong: [(String, SavedValue)] = [
            ("base", .unsigned(0)), ("size", .unsigned(Self.block)), ("requested", .unsigned(4096)),
            ("requested", .unsigned((Self.blocks + 1) * Self.block)), ("plugged", .bytes([1])),
            // A block behind the last one.
            ("plugged", .bytes([UInt8](repeating: 0, count: 12) + [0x10])),
            ("unplugCount", .unsigned(Self.blocks + 1)), ("unplugFirst", .unsigned(.max)), ("generation", .text("")),
        ]
        for (name, value) in wrong {
            var record = SavedRecord(kind: good.kind, version: good.version)
            for (field, old) in good.fields { record.set(field, field == name ? value : old) }
            if name == "unplugFirst" || name == "base" || name == "generation" { #expect(record != good) }
            #expect(throws: SavedStateError.self, "\(name)") { try device.restore(record) }
            #expect(try device.save() == good)
        }
    }
}
