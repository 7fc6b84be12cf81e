import Glibc
import HostSystem
import Testing

@Suite("The log's file", .timeLimit(.minutes(5)))
struct LogOutputTests {
    private let directory: String

    init() {
        var template = Array("/tmp/aerie-log-XXXXXX".utf8CString)
        directory = String(cString: mkdtemp(&template))
    }

    private func lines(_ path: String) throws -> [String] {
        let file = try FileDescriptor(path: path, flags: O_RDONLY)
        var bytes = [UInt8](repeating: 0, count: Int(try file.size()))
        _ = try bytes.withUnsafeMutableBytes { try file.read(at: 0, into: $0) }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
    }

    private func remove(_ paths: String...) {
        for path in paths { unlink(path) }
        rmdir(directory)
    }

    @Test("A line has the time, the level, the subject and the text, whatever characters the text has")
    func format() throws {
        let path = "\(directory)/log"
        let output = try LogOutput(path: path)
        try output.start()
        output.write(LogMessage(level: .warning, subject: "virtio0", text: "a driver's\nmistake\u{1b}[0m"))
        output.close()
        let lines = try lines(path)
        #expect(lines.count == 1)
        let words = lines[0].split(separator: " ", maxSplits: 1)
        #expect(words[1] == "warning virtio0: a driver's?mistake?[0m")
        #expect(words[0].utf8.count == 24 && words[0].hasSuffix("Z"))
        remove(path)
    }

    @Test("A file that takes no more is reported once")
    func fullDisk() throws {
        let output = try LogOutput(path: "/dev/full")
        let failures = Monitor<[SystemError]>([])
        try output.start { error in failures.update { $0.append(error) } }
        for number in 0..<3 {
            output.write(LogMessage(level: .info, subject: "test", text: "\(number)"))
            #expect(failures.wait { $0.isEmpty ? nil : () } != nil)
        }
        output.close()
        #expect(failures.withLock { $0 } == [SystemError("write", code: ENOSPC)])
        remove()
    }

    @Test("Times are ISO 8601 in UTC")
    func times() {
        #expect(Timestamp.text(seconds: 0, nanoseconds: 0) == "1970-01-01T00:00:00.000Z")
        #expect(Timestamp.text(seconds: 1_709_210_096, nanoseconds: 7_999_999) == "2024-02-29T12:34:56.007Z")
    }

    @Test("A full file becomes FILE.1, neither exceeds the limit, and the newest messages are there without a gap")
    func rotation() throws {
        let path = "\(directory)/log"
        for number in 100..<200 {
            // A log of its own for each message, which goes on in the file of the one before.
            let output = try LogOutput(path: path, limit: 2000)
            try output.start()
            output.write(LogMessage(level: .info, subject: "test", text: "\(number)"))
            output.close()
        }
        let older = try lines("\(path).1")
        let newer = try lines(path)
        for lines in [older, newer] { #expect(lines.reduce(0) { $0 + $1.utf8.count + 1 } <= 2000) }
        #expect(older.count == 50)
        let numbers = (older + newer).compactMap { Int($0.suffix(3)) }
        #expect(numbers == Array((200 - numbers.count)..<200))
        remove(path, "\(path).1")
    }
}
