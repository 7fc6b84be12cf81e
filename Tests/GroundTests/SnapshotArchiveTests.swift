import HostSystem
import SnapshotArchive
import Testing

/// The stream of exported snapshots.
@Suite("Archives of snapshots") struct SnapshotArchiveTests {
    private static let memory: [UInt8] =
        [UInt8](repeating: 7, count: 5000) + [UInt8](repeating: 0, count: 1 << 18)
        + (0..<9000).map { UInt8($0 * 37 % 251) }

    private func archive() throws -> [UInt8] {
        let file = try makeMemoryFile(name: "archive", size: 0)
        let writer = try ArchiveWriter(to: try file.duplicate())
        try writer.begin(.record, size: 4)
        try [1, 2, 3, 4].withUnsafeBytes { try writer.write(at: 0, UnsafeRawBufferPointer(rebasing: $0[..<4])) }
        try writer.begin(.memory, size: UInt64(Self.memory.count))
        try Self.memory.withUnsafeBytes { try writer.write(at: 0, $0) }
        try writer.finish()
        var bytes = [UInt8](repeating: 0, count: Int(try file.size()))
        _ = try bytes.withUnsafeMutableBytes { try file.read(at: 0, into: $0) }
        return bytes
    }

    /// The members' contents.
    private func read(_ archive: [UInt8]) throws -> [ArchiveMember: [UInt8]] {
        let file = try makeMemoryFile(name: "archive", size: 0)
        try archive.withUnsafeBytes { try file.writeAll(at: 0, $0) }
        let reader = try ArchiveReader(from: file)
        var result: [ArchiveMember: [UInt8]] = [:]
        var current: ArchiveMember?
        while true {
            switch try reader.next() {
            case .member(let member, let size):
                current = member
                result[member] = [UInt8](repeating: 0, count: Int(size))
            case .data(let offset, let count):
                let member = try #require(current)
                reader.withData(count) {
                    result[member]?.replaceSubrange(Int(offset)..<Int(offset) + count, with: $0)
                }
            case .end: return result
            }
        }
    }

    @Test("What was written is read, and zeroes take no room")
    func roundTrip() throws {
        let archive = try archive()
        let contents = try read(archive)
        #expect(contents.count == 2)
        #expect(contents[.memory] == Self.memory)
        #expect(archive.count < 12_000)
    }

    @Test("An archive that is cut off anywhere, or in which a byte differs, is refused, with the place")
    func damage() throws {
        let archive = try archive()
        for count in stride(from: 0, to: archive.count, by: 37) {
            let expected: ArchiveError = count < 16 ? .notAnArchive : .truncated(at: UInt64(count))
            #expect(throws: expected) { try read(Array(archive[..<count])) }
        }
        for index in stride(from: 0, to: archive.count, by: 13) where !(12..<16).contains(index) {
            var other = archive
            other[index] ^= 0x10
            #expect(throws: ArchiveError.self, "byte \(index)") { try read(other) }
        }
        #expect(throws: ArchiveError.damaged(at: UInt64(archive.count - 28), "more follows the end")) {
            try read(archive + [0])
        }
        var other = archive
        other[8] = 9
        #expect(throws: ArchiveError.version(9)) { try read(other) }
    }

    @Test("A part that comes twice, or is larger than its kind may be, is refused")
    func order() throws {
        for (members, size) in [([ArchiveMember.state, .state], 0), ([.memory, .state], 0), ([.record], 1 << 40)] {
            let file = try makeMemoryFile(name: "archive", size: 0)
            let writer = try ArchiveWriter(to: try file.duplicate())
            for member in members { try writer.begin(member, size: UInt64(size)) }
            try writer.finish()
            var bytes = [UInt8](repeating: 0, count: Int(try file.size()))
            _ = try bytes.withUnsafeMutableBytes { try file.read(at: 0, into: $0) }
            #expect(throws: ArchiveError.self) { try read(bytes) }
        }
    }
}
