import Foundation
import GuestToolchain
import HostSystem
import Testing

@testable import GuestMemory

@Suite(
    "The log of written pages",
    .enabled("this kernel has no log of written pages") {
        (try? GuestMemory(ranges: [(0, 4096)], logsWrites: true))?.writeLog != nil
    })
struct WriteLogTests {
    enum Kind: CaseIterable, Sendable { case shared, mergeable, contents }

    private let directory = TemporaryDirectory()
    private static let pages = 300
    private static let page: UInt64 = 4096

    private func memory(_ kind: Kind) throws -> GuestMemory {
        let size = UInt64(Self.pages) * Self.page
        let ranges = [(base: UInt64(0), size: size)]
        switch kind {
        case .shared: return try GuestMemory(ranges: ranges, logsWrites: true)
        case .mergeable: return try GuestMemory(ranges: ranges, isMergeable: true, logsWrites: true)
        case .contents:
            let path = try directory.file("contents", [UInt8](repeating: 5, count: Int(size)))
            let file = try FileDescriptor(path: path, flags: O_RDONLY)
            return try GuestMemory(
                ranges: ranges, contents: MemorySource(files: [file.rawValue], size: size), logsWrites: true)
        }
    }

    /// Stores a byte as a guest does: without `noteWrite`.
    private static func store(_ value: UInt8, _ memory: GuestMemory, _ offset: Int) {
        memory.hostBase.storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
    }

    private func pages(_ ranges: [Range<UInt64>]) -> [Int] {
        ranges.flatMap { Int($0.lowerBound / Self.page)..<Int($0.upperBound / Self.page) }
    }

    @Test("It has each page that was written since it was taken last, and no other", arguments: Kind.allCases)
    func written(kind: Kind) throws {
        let memory = try memory(kind)
        defer { withExtendedLifetime(memory) {} }
        let log = try #require(memory.writeLog)
        // Before the log is on, and by pages that no page table has.
        for page in stride(from: 0, to: Self.pages, by: 2) { Self.store(1, memory, page * 4096 + 7) }
        #expect(try log.begin())
        #expect(pages(try log.take()) == [])
        for round in 0..<3 {
            for page in [0, 1, 2, 63, 64, 65, 127, 128, 200, 299] { Self.store(2, memory, page * 4096 + round) }
            var sum = 0
            for page in 10..<20 { sum += Int(memory.hostBase.load(fromByteOffset: page * 4096, as: UInt8.self)) }
            #expect(sum >= 0)
            #expect(pages(try log.take()) == [0, 1, 2, 63, 64, 65, 127, 128, 200, 299])
            #expect(pages(try log.take()) == [])
        }
        log.end()
        #expect(try log.begin())
        #expect(pages(try log.take()) == [])
        Self.store(3, memory, 4096)
        #expect(pages(try log.take()) == [1])
        log.end()
    }

    @Test("A write that the kernel has not seen is in it when somebody notes it, once, and only while it is on")
    func noted() throws {
        let memory = try memory(.shared)
        defer { withExtendedLifetime(memory) {} }
        let log = try #require(memory.writeLog)
        log.noteWrite(from: 0, count: 4096)
        #expect(try log.begin())
        log.noteWrite(from: 3 * 4096 + 4095, count: 2)
        log.noteWrite(from: 299 * 4096, count: 1)
        log.noteWrite(from: 0, count: 0)
        #expect(pages(try log.take()) == [3, 4, 299])
        #expect(pages(try log.take()) == [])
        // Memory that is given back has other contents, too.
        #expect(try memory.discard(at: 7 * 4096, count: 4096) == 4096)
        #expect(pages(try log.take()) == [7])
        log.end()
    }

    @Test("While it is on, memory that began as a sparse file still has only its data and the written pages")
    func holes() throws {
        let size = UInt64(Self.pages) * Self.page
        let path = try directory.file("sparse", [])
        let file = try FileDescriptor(path: path, flags: O_RDWR)
        try file.truncate(to: size)
        try file.writeAll(at: 64 * Self.page, [UInt8](repeating: 5, count: 4096))
        let contents = try MemorySource(files: [file.rawValue], size: size)
        let memory = try GuestMemory(ranges: [(0, size)], contents: contents, logsWrites: true)
        defer { withExtendedLifetime(memory) {} }
        let log = try #require(memory.writeLog)
        Self.store(1, memory, 10 * 4096)
        #expect(memory.hostBase.load(fromByteOffset: 20 * 4096, as: UInt8.self) == 0)
        #expect(try log.begin())
        Self.store(1, memory, 200 * 4096)
        var found: [Int] = []
        var position: UInt64 = 0
        while let range = try memory.nextData(from: position) {
            found += pages([range])
            position = range.upperBound
        }
        #expect(found == [10, 64, 200])
        log.end()
    }

    @Test("It has one user at a time")
    func users() throws {
        let memory = try memory(.shared)
        defer { withExtendedLifetime(memory) {} }
        let log = try #require(memory.writeLog)
        #expect(try log.begin())
        #expect(try !log.begin())
        log.end()
        #expect(try log.begin())
        log.end()
    }

    @Test("All pages of large memory are found, in one range")
    func many() throws {
        let size: UInt64 = 64 << 20
        let memory = try GuestMemory(ranges: [(0, size)], logsWrites: true)
        defer { withExtendedLifetime(memory) {} }
        let log = try #require(memory.writeLog)
        #expect(try log.begin())
        for page in stride(from: 0, to: Int(size), by: 8192) { Self.store(1, memory, page) }
        #expect(try log.take().count == Int(size) / 8192)
        memset(memory.hostBase, 1, Int(size))
        #expect(try log.take() == [0..<size])
        log.end()
    }
}
