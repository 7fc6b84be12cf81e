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
        let address = String(UInt(bitPattern: memory.hostBase), radix: 16)
        let text = try String(contentsOfFile: "/proc/self/smaps", encoding: .utf8)
        let mapping = try #require(text.range(of: "\n\(address)-"))
        let flags = try #require(text[mapping.upperBound...].range(of: "VmFlags:"))
        let words = text[flags.upperBound...].prefix { $0 != "\n" }.split(separator: " ")
        #expect(words.contains("mg"))
        #expect(!words.contains("sh"))
    }
}
