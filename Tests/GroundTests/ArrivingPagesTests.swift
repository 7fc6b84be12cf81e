import GuestMemory
import HostSystem
import Testing

/// Memory whose pages come while somebody accesses them (userfaultfd).
@Suite("Pages that arrive") struct ArrivingPagesTests {
    private static let page = PageSet.pageSize

    /// Memory of 16 pages at address 0, of which `missing` have to come; the others have their number in each byte.
    private func memory(missing: [Range<UInt64>]) throws -> GuestMemory {
        let file = try makeMemoryFile(name: "arriving", size: 16 * Self.page)
        for page in UInt64(0)..<16 where !missing.contains(where: { $0.contains(page) }) && page != 15 {
            try file.writeAll(at: page * Self.page, [UInt8](repeating: UInt8(page), count: Int(Self.page)))
        }
        let arrival = MemoryArrival(
            file: file.rawValue, missing: missing.map { $0.lowerBound * Self.page..<$0.upperBound * Self.page },
            servesKernel: false)
        return try GuestMemory(ranges: [(0, 16 * Self.page)], arrival: arrival, logsWrites: true)
    }

    private func byte(_ page: UInt64, of memory: GuestMemory) throws -> UInt8 {
        try memory.load(at: page * Self.page + 5)
    }

    @Test("An access to a missing page waits until it has come; zeroes and pages that were there do not")
    func accesses() throws {
        let memory = try memory(missing: [2..<4, 8..<9])
        let pages = try #require(memory.arriving)
        #expect(pages.missingSize == 3 * Self.page)
        let server = try HostThread(name: "server") {
            let bytes = [UInt8](repeating: 77, count: Int(Self.page))
            while pages.missingSize > 0 {
                for offset in (try? pages.takeWanted()) ?? [] {
                    try? bytes.withUnsafeBytes { try pages.store($0.baseAddress, count: Self.page, at: offset) }
                }
                yieldProcessor()
            }
            pages.finish()
        }
        let zeroes = try HostThread(name: "zeroes") {
            // The page without contents: somebody has to fill it as long as others are missing.
            _ = try? memory.load(UInt8.self, at: 15 * Self.page)
        }
        zeroes.join()
        #expect(try byte(1, of: memory) == 1)
        #expect(try byte(2, of: memory) == 77)
        #expect(try byte(8, of: memory) == 77)
        // Before a system call, all pages of a buffer are waited for.
        let buffer = UnsafeMutableRawBufferPointer(start: memory.hostBase + 10, count: 16 * Int(Self.page) - 10)
        memory.waitForPages(of: buffer)
        server.join()
        #expect(!pages.areMissing)
        #expect(try byte(3, of: memory) == 77 && byte(15, of: memory) == 0)
        // The log works as for other memory.
        if let log = memory.writeLog {
            #expect(try log.begin())
            try memory.store(UInt8(1), at: 5 * Self.page)
            #expect(try log.take() == [5 * Self.page..<6 * Self.page])
            log.end()
        }
    }

    @Test("A system call fills missing pages once they have come")
    func filled() throws {
        let memory = try memory(missing: [2..<4])
        let pages = try #require(memory.arriving)
        let server = try HostThread(name: "server") {
            while pages.missingSize > 0 {
                for offset in (try? pages.takeWanted()) ?? [] {
                    try? pages.store(nil, count: Self.page, at: offset)
                }
                yieldProcessor()
            }
            pages.finish()
        }
        let count = 3 * Int(Self.page)
        let source = try makeMemoryFile(name: "source", size: UInt64(count))
        try source.writeAll(at: 0, [UInt8](repeating: 9, count: count))
        try memory.fill(UnsafeMutableRawBufferPointer(start: memory.hostBase + Int(Self.page), count: count)) {
            (offset, bytes) throws(SystemError) in
            #expect(try source.read(at: UInt64(offset), into: bytes) == bytes.count)
        }
        server.join()
        for page in UInt64(1)..<4 { #expect(try byte(page, of: memory) == 9) }
        #expect(try byte(4, of: memory) == 4)
    }

    @Test("A page is asked for once, and stored only where it is missing")
    func bounds() throws {
        let memory = try memory(missing: [2..<4])
        let pages = try #require(memory.arriving)
        let bytes = [UInt8](repeating: 1, count: 4 * Int(Self.page))
        func store(_ page: UInt64, _ count: UInt64) throws {
            try bytes.withUnsafeBytes { try pages.store($0.baseAddress, count: count, at: page * Self.page) }
        }
        for (page, count) in [
            (UInt64(1), Self.page), (3, 2 * Self.page), (2, 0), (2, 100), (16, Self.page), (1 << 51, Self.page),
            (2, UInt64.max - Self.page + 1),
        ] {
            #expect(throws: SystemError.self) { try store(page, count) }
        }
        try store(2, Self.page)
        #expect(throws: SystemError.self) { try store(2, Self.page) }
        try pages.store(nil, count: Self.page, at: 3 * Self.page)
        #expect(pages.missingSize == 0)
        pages.finish()
        #expect(try byte(2, of: memory) == 1 && byte(3, of: memory) == 0)
    }

    @Test("A set of pages finds its pages in a row")
    func sets() {
        var pages = PageSet(size: 200 * Self.page)
        pages.insert(60..<70)
        pages.insert(199)
        pages.insert(60)
        #expect(pages.count == 11)
        #expect(pages.run(from: 0, most: 100) == 60..<70)
        #expect(pages.run(from: 62, most: 4) == 62..<66)
        #expect(pages.run(from: 70, most: 4) == 199..<200)
        #expect(pages.run(from: 200, most: 4) == nil)
        pages.remove(60..<70)
        #expect(pages.run(from: 0, most: 100) == 199..<200)
        #expect(pages.contains(199) && !pages.contains(60) && !pages.contains(198..<200))
        pages.remove(199)
        #expect(pages.isEmpty)
    }
}
