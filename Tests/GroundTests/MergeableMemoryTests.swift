import Foundation
import GuestMemory
import HostSystem
import Testing

@Suite(
    "Memory whose pages the host may merge",
    .enabled("this host's kernel does not merge pages") { access("/sys/kernel/mm/ksm", F_OK) == 0 })
struct MergeableMemoryTests {
    private let memory: GuestMemory

    init() throws {
        memory = try GuestMemory(ranges: [(0x1000, 0x4000), (0x10_0000, 0x8000)], isMergeable: true)
    }

    @Test("Only touched pages are resident, and pages that are given back read as zero")
    func resident() throws {
        #expect(memory.residentSize == 0)
        try memory.write([1, 2, 3], at: 0x1FFF)
        try memory.write([4], at: 0x10_7FFF)
        #expect(memory.residentSize == 0x3000)
        #expect(try memory.discard(at: 0x1000, count: 0x2000) == 0x2000)
        #expect(memory.residentSize == 0x1000)
        #expect(try memory.bytes(at: 0x1FFF, count: 3) == [0, 0, 0])
        #expect(try memory.bytes(at: 0x10_7FFF, count: 1) == [4])
    }

    @Test("All of it may have contents when it is saved")
    func data() throws {
        #expect(try memory.nextData(from: 0) == 0..<0xC000)
        #expect(try memory.nextData(from: 0x1000) == 0x1000..<0xC000)
        #expect(try memory.nextData(from: 0xC000) == nil)
    }

    @Test("The kernel is told that it may merge the pages")
    func advice() throws {
        let address = UInt(bitPattern: memory.hostBase)
        defer { withExtendedLifetime(memory) {} }
        // A file of /proc has no size: whoever asks for all of it at once gets a page.
        let data = try FileHandle(forReadingFrom: URL(filePath: "/proc/self/smaps")).readToEnd() ?? Data()
        let lines = String(decoding: data, as: UTF8.self).split(separator: "\n")
        // The kernel joins neighbouring mappings of one kind.
        let start = try #require(lines.firstIndex { Self.range($0)?.contains(address) ?? false })
        let flags = try #require(lines[start...].first { $0.hasPrefix("VmFlags:") })
        let words = flags.split(separator: " ")
        #expect(words.contains("mg"))
        #expect(!words.contains("sh"))
    }

    /// The addresses of a mapping, of the line that begins its part.
    private static func range(_ line: Substring) -> Range<UInt>? {
        let ends = line.prefix { $0 != " " }.split(separator: "-").map { UInt($0, radix: 16) }
        guard ends.count == 2, let start = ends[0], let end = ends[1] else { return nil }
        return start..<end
    }
}
