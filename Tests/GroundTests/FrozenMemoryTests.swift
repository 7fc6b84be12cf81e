import Foundation
import GuestMemory
import HostSystem
import Testing

@Suite("Memory that is frozen for copies")
struct FrozenMemoryTests {
    private static let size: UInt64 = 0x40000
    private static let base: UInt64 = 0x1000

    private func memory(isMergeable: Bool = false) throws -> GuestMemory {
        try GuestMemory(ranges: [(Self.base, Self.size)], isMergeable: isMergeable)
    }

    private func written(_ memory: GuestMemory) throws -> [Range<UInt64>] {
        var result: [Range<UInt64>] = []
        while let range = try memory.nextWritten(from: result.last?.upperBound ?? 0) { result.append(range) }
        return result
    }

    @Test("It keeps its contents, and later writes reach neither its file nor copies")
    func contents() throws {
        let memory = try memory()
        try memory.write([1, 2, 3], at: 0x3000)
        #expect(memory.canFreeze && memory.contents == nil)
        #expect(try written(memory) == [])
        let source = try memory.freeze()
        #expect(!memory.canFreeze)
        #expect(try memory.bytes(at: 0x3000, count: 3) == [1, 2, 3])
        let copy = try GuestMemory(ranges: [(Self.base, Self.size)], contents: source)
        try memory.write([9], at: 0x3001)
        try copy.write([8], at: 0x3002)
        #expect(try memory.bytes(at: 0x3000, count: 3) == [1, 9, 3])
        #expect(try copy.bytes(at: 0x3000, count: 3) == [1, 2, 8])
        var found = [UInt8](repeating: 0, count: 3)
        _ = try found.withUnsafeMutableBytes { (bytes) throws(SystemError) in try source.read(at: 0x2000, into: bytes) }
        #expect(found == [1, 2, 3])
    }

    @Test("What is written since is known, whatever was read")
    func writtenPages() throws {
        let memory = try memory()
        try memory.write([1], at: 0x3000)
        _ = try memory.freeze()
        #expect(try memory.nextData(from: 0) == 0x2000..<0x3000)
        _ = try memory.bytes(at: Self.base, count: Int(Self.size))
        #expect(try written(memory) == [])
        try memory.write([1], at: 0x3FFF)
        try memory.write([1], at: 0x8000)
        try memory.write([1], at: 0x9000)
        #expect(try written(memory) == [0x2000..<0x3000, 0x7000..<0x9000])
        #expect(try memory.discard(at: 0x8000, count: 0x1000) == 0x1000)
        #expect(try written(memory) == [0x2000..<0x3000, 0x8000..<0x9000])
        #expect(try memory.bytes(at: 0x8000, count: 1) == [0])
    }

    @Test("A great number of written ranges is found, each once", arguments: [1, 3, 300])
    func manyRanges(gap: Int) throws {
        let pages = 40_000
        let memory = try GuestMemory(ranges: [(0, UInt64(pages) << 12)])
        _ = try memory.freeze()
        var expected: [Range<UInt64>] = []
        for page in stride(from: 0, to: pages, by: gap + 1) {
            try memory.write([1], at: UInt64(page) << 12)
            expected.append(UInt64(page) << 12..<UInt64(page + 1) << 12)
        }
        #expect(try written(memory) == expected)
    }

    @Test("Nobody can change what it was any more when its file is sealed")
    func sealing() throws {
        let memory = try memory()
        try memory.write([5], at: 0x3000)
        let file = try memory.freeze().descriptors[0]
        // F_ADD_SEALS with F_SEAL_WRITE, which a mapping for writing would not allow.
        #expect(fcntl(file, 1033, 8) == 0)
        #expect(pwrite(file, [1], 1, 0) == -1 && errno == EPERM)
        try memory.write([6], at: 0x3000)
        #expect(try memory.bytes(at: 0x3000, count: 1) == [6])
    }

    @Test("Memory that is private already cannot be frozen")
    func refusals() throws {
        let mergeable = try memory(isMergeable: true)
        #expect(!mergeable.canFreeze)
        #expect(throws: SystemError.self) { _ = try mergeable.freeze() }
        let memory = try memory()
        _ = try memory.freeze()
        #expect(throws: SystemError.self) { _ = try memory.freeze() }
    }
}
