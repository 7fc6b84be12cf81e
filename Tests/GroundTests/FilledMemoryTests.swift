import Glibc
@testable import GuestMemory
import HostSystem
import Testing

@Suite("Memory that is filled from a source")
struct FilledMemoryTests {
    private static let base: UInt64 = 0x1000
    /// Bytes; a part of `fill` is smaller.
    private static let size: UInt64 = 0x100000

    enum Kind: CaseIterable { case file, mergeable, beginning, frozen }

    private func memory(
        _ kind: Kind, ranges: [(base: UInt64, size: UInt64)] = [(base, size)], logsWrites: Bool = false
    ) throws -> GuestMemory {
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
        #expect(try memory.bytes(at: Self.base, count: 1) == [9])
    }

    @Test(
        "The log of written pages has those that were filled",
        .enabled("this kernel has no log of written pages") {
            (try? GuestMemory(ranges: [(0, 4096)], logsWrites: true))?.writeLog != nil
        })
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

    @Test("Memory whose file takes nothing is filled all the same")
    func unwritable() throws {
        let memory = try memory(.file)
        // F_ADD_SEALS, F_SEAL_FUTURE_WRITE of fcntl(2): only mappings that are there may write.
        try #require(fcntl(memory.file.rawValue, 1033, 0x10) == 0)
        let target = UnsafeMutableRawBufferPointer(start: memory.hostBase, count: Int(Self.size))
        memory.fill(target) { offset, bytes in
            for index in bytes.indices { bytes[index] = Self.byte(offset + index) }
        }
        #expect(try memory.bytes(at: Self.base, count: Int(Self.size)) == (0..<Int(Self.size)).map(Self.byte))
    }

    /// Whether the kernel allocates pages of a mapping when it is told to (Linux 5.14).
    private static let canAllocate: Bool = {
        guard let mapping = try? Mapping(count: 4096, flags: MAP_PRIVATE | MAP_ANONYMOUS) else { return false }
        return madvise(mapping.address, 4096, 23) == 0
    }()

    @Test(
        "The end of a range is allocated ahead, unless its pages would be copies",
        .enabled("this kernel does not allocate pages ahead") { canAllocate }, arguments: Kind.allCases)
    func ahead(_ kind: Kind) throws {
        let memory = try memory(kind, ranges: [(0x1000, 0x300000), (0x800000, 0x280000)])
        let range = memory.ranges[kind == .file ? 0 : 1]
        let before = memory.residentSize
        memory.allocateEnd(of: range, count: 0x203000) { false }
        #expect(memory.residentSize == before + (kind == .file ? 0x203000 : 0))
        guard kind == .file else { return }
        #expect(try memory.nextData(from: 0) == 0xFD000..<0x300000)
        #expect(try memory.nextData(from: 0x300000) == nil)
        // More than there is, and until somebody does not want it any more.
        var parts = 0
        memory.allocateEnd(of: memory.ranges[1], count: .max) {
            parts += 1
            return parts == 3
        }
        #expect(try memory.nextData(from: 0x300000) == 0x4C0000..<0x580000)
        memory.allocateEnd(of: memory.ranges[1], count: .max) { false }
        #expect(try memory.nextData(from: 0) == 0xFD000..<0x580000)
        #expect(try memory.bytes(at: 0x800000, count: 0x280000).allSatisfy { $0 == 0 })
    }
}
