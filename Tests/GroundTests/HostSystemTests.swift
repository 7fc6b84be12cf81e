import Glibc
import HostSystem
import Testing

@Suite("Small parts of the host system") struct HostSystemTests {
    @Test(
        "FNV-1a has the published values",
        arguments: [
            ("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8),
        ] as [(String, UInt64)])
    func hashes(text: String, value: UInt64) {
        #expect(FNV1a(text.utf8).value == value)
        var parts = FNV1a()
        for byte in text.utf8 { parts.add([byte]) }
        #expect(parts == FNV1a(text.utf8))
    }

    @Test("The text of a hash has 16 digits, also with zeroes in front")
    func hashText() {
        #expect(FNV1a("a".utf8).text == "af63dc4c8601ec8c")
        // The first number whose hash has a zero in front.
        let short = (0...).lazy.map { FNV1a("\($0)".utf8) }.first { $0.value >> 60 == 0 }
        #expect(short?.text.utf8.count == 16)
        #expect(short?.text.first == "0")
    }

    @Test("A duplicate of a descriptor has its file and position, a number from the least one on, and is close-on-exec")
    func duplicates() throws {
        let file = try FileDescriptor(unnamedIn: "/tmp")
        let copy = try FileDescriptor(duplicating: file.rawValue, least: 100)
        #expect(copy.rawValue >= 100)
        #expect(fcntl(copy.rawValue, F_GETFD) == FD_CLOEXEC)
        try copy.writeAll([1, 2, 3])
        #expect(lseek(file.rawValue, 0, SEEK_CUR) == 3)
        let second = try file.duplicate()
        #expect(second.rawValue != file.rawValue)
        #expect(throws: SystemError("fcntl F_DUPFD_CLOEXEC", code: EBADF)) {
            _ = try FileDescriptor(duplicating: -1).rawValue
        }
    }

    @Test("Random bytes are as many as were asked for, and others each time")
    func random() throws {
        #expect(try randomBytes(count: 0) == [])
        let (first, second) = (try randomBytes(count: 16), try randomBytes(count: 16))
        #expect(first.count == 16)
        #expect(first != second)
    }

    @Test("The processor time of a process grows with its work")
    func processTime() {
        let before = HostClock.processTime()
        var hash = FNV1a()
        for _ in 0..<100 { hash.add([UInt8](repeating: 1, count: 10_000)) }
        #expect(hash.value != 0)
        #expect(HostClock.processTime() > before)
    }
}
