import Testing

@testable import GuestBoot

@Suite struct CpioArchiveTests {
    @Test func aFileIsWrittenByteForByteAsTheFormatHasIt() {
        var archive = CpioArchive()
        archive.addFile("init", mode: 0o755, Array("hello".utf8))
        let expected =
            "070701" + "00000001" + "000081ed" + "00000000" + "00000000" + "00000001" + "00000000" + "00000005"
            + "00000000" + "00000000" + "00000000" + "00000000" + "00000005" + "00000000" + "init\0" + "\0"
            + "hello\0\0\0"
            + "070701" + "00000002" + "00000000" + "00000000" + "00000000" + "00000001" + "00000000" + "00000000"
            + "00000000" + "00000000" + "00000000" + "00000000" + "0000000b" + "00000000" + "TRAILER!!!\0" + "\0\0\0"
        #expect(String(decoding: archive.finished(), as: UTF8.self) == expected)
    }

    @Test func everyKindOfMemberComesBackFromADecoder() throws {
        var archive = CpioArchive()
        archive.addDirectory("dev")
        archive.addCharacterDevice("dev/console", mode: 0o600, major: 5, minor: 1)
        archive.addLink("bin/sh", to: "busybox")
        archive.addFile("data", [UInt8](0..<200))
        let members = try #require(Self.decode(archive.finished()))
        #expect(members.map(\.name) == ["dev", "dev/console", "bin/sh", "data", "TRAILER!!!"])
        #expect(members.map(\.mode) == [0o040755, 0o020600, 0o120777, 0o100644, 0])
        #expect(members[1].device == [5, 1])
        #expect(members[2].data == Array("busybox".utf8))
        #expect(members[3].data == [UInt8](0..<200))
    }

    private struct Member {
        var name: String
        var mode: Int
        var device: [Int]
        var data: [UInt8]
    }

    /// Decodes after the format's description, on its own; nil when a rule is broken.
    private static func decode(_ bytes: [UInt8]) -> [Member]? {
        var members: [Member] = []
        var position = 0
        while position < bytes.count {
            guard position + 110 <= bytes.count else { return nil }
            let header = String(decoding: bytes[position..<position + 110], as: UTF8.self)
            guard header.hasPrefix("070701") else { return nil }
            let digits = Array(header.utf8.dropFirst(6))
            let fields = stride(from: 0, to: 104, by: 8).compactMap {
                Int(String(decoding: digits[$0..<$0 + 8], as: UTF8.self), radix: 16)
            }
            guard fields.count == 13 else { return nil }
            let nameStart = position + 110
            let dataStart = (nameStart + fields[11] + 3) / 4 * 4
            let end = (dataStart + fields[6] + 3) / 4 * 4
            guard end <= bytes.count, bytes[nameStart + fields[11] - 1] == 0 else { return nil }
            members.append(
                Member(
                    name: String(decoding: bytes[nameStart..<nameStart + fields[11] - 1], as: UTF8.self),
                    mode: fields[1], device: [fields[9], fields[10]],
                    data: Array(bytes[dataStart..<dataStart + fields[6]])))
            position = end
        }
        return members
    }
}
