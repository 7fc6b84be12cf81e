import Glibc
import GuestMemory
import HostSystem
import Testing

@Suite("Memory that is filled from a source")
struct FilledMemoryTests {
    private static let base: UInt64 = 0x1000
    /// Bytes; a part of `fill` is smaller.
    private static let size: UInt64 = 0x100000

    enum Kind: CaseIterable { case file, mergeable, beginning, frozen }

    private func memory(_ kind: Kind, logsWrites: Bool = false) throws -> GuestMemory {
        let ranges = [(base: Self.base, size: Self.size)]
        switch kind {
        case .file: return try GuestMemory(ranges: ranges, logsWrites: logsWrites)
        case .mergeable: return try GuestMemory(ranges: ranges, isMergeable: true)
        case .beginning:
            let first = try GuestMemory(ranges: ranges)
            return try GuestMemory(ranges: ranges, contents: try first.freeze())
        case .frozen:
            let memory = try GuestMemory(ranges: ranges)
            _ = try memory.freeze()
            return memory
        }
    }

    private struct Refusal: Error {}

    private static func byte(_ position: Int) -> UInt8 { UInt8(truncatingIfNeeded: position &* 7 &+ position >> 8) }

    @Test(
        "Its bytes are those of the source, those around them stay, and the pages count as written",
        arguments: Kind.allCases)
    func contents(_ kind: Kind) throws {
        let memory = try memory(kind)
        let count = 0x90123
        let address = Self.base + 0x1801
        let target = UnsafeMutableRawBufferPointer(
            start: memory.hostBase + Int(address - Self.base), count: count)
        try memory.write([0xA5], at: address - 1)
        try memory.write([0xA5], at: address + UInt64(count))
        memory.watch.watch(2)
        var next = 0
        memory.fill(target) { offset, bytes in
            #expect(offset == next)
            for index in bytes.indices { bytes[index] = Self.byte(offset + index) }
            next += bytes.count
        }
        #expect(next == count)
        let found = try memory.bytes(at: address - 1, count: count + 2)
        #expect(found == [0xA5] + (0..<count).map(Self.byte) + [0xA5])
        #expect(!memory.watch.isWatched(2))
    }

    @Test("A source that fails ends the filling with its error, and what it gave is there", arguments: Kind.allCases)
    func failure(_ kind: Kind) throws {
        let memory = try memory(kind)
        let target = UnsafeMutableRawBufferPointer(start: memory.hostBase, count: Int(Self.size))
        var parts = 0
        #expect(throws: Refusal.self) {
            try memory.fill(target) { (_, bytes) throws(Refusal) in
                bytes[0] = 9
                parts += 1
                if parts == (kind == .file ? 2 : 1) { throw Refusal() }
            }
        }
        if kind == .file { #expect(try memory.bytes(at: Self.base, count: 1) == [9]) }
    }

    @Test("The log of written pages has those that were filled")
    func logged() throws {
        let memory = try memory(.file, logsWrites: true)
        let log = try #require(memory.writeLog)
        #expect(try log.begin())
        defer { log.end() }
        memory.fill(UnsafeMutableRawBufferPointer(start: memory.hostBase + 0x2800, count: 0x1000)) { _, bytes in
            bytes.initializeMemory(as: UInt8.self, repeating: 1)
        }
        #expect(try log.take() == [0x2000..<0x4000])
        withExtendedLifetime(memory) {}
    }

    @Test("The end of a range is allocated ahead, unless its pages would be copies", arguments: Kind.allCases)
    func ahead(_ kind: Kind) throws {
        let memory = try memory(kind)
        let before = memory.residentSize
        let allocated: UInt64 = kind == .file ? 0x43000 : 0
        try #require(memory.allocateEnd(of: memory.ranges[0], count: 0x43000)).join()
        #expect(memory.residentSize == before + allocated)
        let state = try (0..<Int(Self.size >> 12)).map { page in
            try memory.nextData(from: UInt64(page) << 12).map { $0.lowerBound == UInt64(page) << 12 } ?? false
        }
        if kind == .file { #expect(state == (0..<256).map { $0 >= 256 - 0x43 }) }
        #expect(try memory.bytes(at: Self.base + Self.size - 0x43000, count: 0x43000).allSatisfy { $0 == 0 })
    }
}
