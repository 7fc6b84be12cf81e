import Foundation
import GuestMemory
import GuestToolchain
import HostSystem
import Testing

@Suite("Memory that begins with the contents of a file")
struct MemoryBeginningTests {
    private let directory = TemporaryDirectory()
    private static let size = 0x10000

    /// A file with data in its second page only.
    private func file() throws -> FileDescriptor {
        let path = try directory.file("memory", Data())
        let file = try FileDescriptor(path: path, flags: O_RDWR)
        try file.truncate(to: UInt64(Self.size))
        let page = [UInt8](repeating: 7, count: 4096)
        try page.withUnsafeBytes { try file.writeAll(at: 4096, $0) }
        return file
    }

    private func memory(_ file: borrowing FileDescriptor) throws -> GuestMemory {
        let contents = try MemorySource(files: [file.rawValue], size: UInt64(Self.size))
        return try GuestMemory(ranges: [(0x1000, UInt64(Self.size))], contents: contents)
    }

    @Test("The guest sees the file's bytes, and its writes do not reach the file")
    func contents() throws {
        let file = try file()
        let memory = try memory(file)
        #expect(try memory.bytes(at: 0x1FFF, count: 2) == [0, 7])
        try memory.write([9, 9], at: 0x1FFF)
        #expect(try memory.bytes(at: 0x1FFF, count: 3) == [9, 9, 7])
        var found = [UInt8](repeating: 1, count: 2)
        let count = try found.withUnsafeMutableBytes { try file.read(at: 0xFFF, into: $0) }
        #expect(count == 2)
        #expect(found == [0, 7])
    }

    @Test("Memory that is pushed out has the same contents afterwards, whether it came from the file or was written")
    func pushedOut() throws {
        let file = try file()
        let memory = try memory(file)
        try memory.write([9, 9], at: 0x1FFF)
        #expect(try memory.pushOut { false })
        #expect(try memory.bytes(at: 0x1FFF, count: 3) == [9, 9, 7])
        #expect(try !memory.pushOut { true })
    }

    @Test("What is written since and what the file has may have contents, and nothing else, whatever was read")
    func data() throws {
        let file = try file()
        let memory = try memory(file)
        func ranges() throws -> [Range<UInt64>] {
            var result: [Range<UInt64>] = []
            while let range = try memory.nextData(from: result.last?.upperBound ?? 0) { result.append(range) }
            return result
        }
        #expect(try ranges() == [0x1000..<0x2000])
        _ = try memory.bytes(at: 0x1000, count: Self.size)
        #expect(try ranges() == [0x1000..<0x2000])
        try memory.write([1], at: 0x1000)
        try memory.write([1], at: 0x4FFF)
        try memory.write([1], at: 0x5000)
        try memory.write([1], at: 0x10FFF)
        #expect(try ranges() == [0x0..<0x1000, 0x1000..<0x2000, 0x3000..<0x5000, 0xF000..<0x10000])
    }

    @Test("Pages that are given back have the file's bytes again")
    func discarded() throws {
        let file = try file()
        let memory = try memory(file)
        try memory.write([1, 2], at: 0x2000)
        #expect(try memory.discard(at: 0x2000, count: 0x1000) == 0x1000)
        #expect(try memory.bytes(at: 0x2000, count: 2) == [7, 7])
    }

    @Test("A file of another size is refused", arguments: [0, 1, Self.size - 1, Self.size + 1])
    func sizes(size: Int) throws {
        let file = try file()
        try file.truncate(to: UInt64(size))
        #expect(throws: SystemError.self) { try memory(file) }
    }

    @Test("Memory in pieces of two files has the bytes of each, and pages that are written count beside their data")
    func pieces() throws {
        let first = try file()
        let second = try FileDescriptor(path: try directory.file("second", Data()), flags: O_RDWR)
        try second.truncate(to: UInt64(Self.size))
        let page = [UInt8](repeating: 8, count: 4096)
        for offset in [0x0, 0x3000, 0x5000] as [UInt64] {
            try page.withUnsafeBytes { try second.writeAll(at: offset, $0) }
        }
        func source(_ pieces: [(Range<UInt64>, Int)]) throws -> MemorySource {
            try MemorySource(
                files: [first.rawValue, second.rawValue], size: UInt64(Self.size),
                pieces: pieces.map { MemorySource.Piece(range: $0.0, file: $0.1) })
        }
        let contents = try source([(0..<0x3000, 0), (0x3000..<0x5000, 1), (0x5000..<0x1_0000, 0)])
        let memory = try GuestMemory(ranges: [(0, UInt64(Self.size))], contents: contents)
        let found = try memory.bytes(at: 0, count: Self.size)
        #expect(stride(from: 0, to: Self.size, by: 4096).map { found[$0] }.prefix(6) == [0, 7, 0, 8, 0, 0])
        try memory.write([1], at: 0x8000)
        var ranges: [Range<UInt64>] = []
        while let range = try memory.nextData(from: ranges.last?.upperBound ?? 0) { ranges.append(range) }
        #expect(ranges == [0x1000..<0x2000, 0x3000..<0x4000, 0x8000..<0x9000])
        let wrong: [[(Range<UInt64>, Int)]] = [
            [], [(0..<0x1_0000, 2)], [(0..<0x8000, 0)], [(0x1000..<0x1_0000, 0)],
            [(0..<0x3000, 0), (0x4000..<0x1_0000, 1)], [(0..<0x3001, 0), (0x3001..<0x1_0000, 1)],
            [(0..<0x1_1000, 0)],
        ]
        for pieces in wrong { #expect(throws: SystemError.self) { try source(pieces) } }
    }
}
