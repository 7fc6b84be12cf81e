import Glibc
import HostSystem
import Testing

/// A read that waits would end these tests by their limit.
@Suite("Input that other processes read as well", .timeLimit(.minutes(5)))
struct NonblockingInputTests {
    /// What bytes are read from, and where the test writes them.
    enum Kind: CaseIterable { case pipe, socket, terminal }

    /// The two ends of a file that bytes go through.
    private final class Ends {
        let input: Int32
        let output: Int32
        private var isOpen = true

        init(_ kind: Kind) throws {
            var ends: [Int32] = [-1, -1]
            switch kind {
            case .pipe: _ = try checked("pipe") { Glibc.pipe(&ends) }
            case .socket: _ = try checked("socketpair") { socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) }
            case .terminal:
                var (controller, follower): (Int32, Int32) = (-1, -1)
                _ = try checked("openpty") { openpty(&controller, &follower, nil, nil, nil) }
                ends = [follower, controller]
                var settings = termios()
                tcgetattr(follower, &settings)
                cfmakeraw(&settings)
                tcsetattr(follower, TCSANOW, &settings)
            }
            (input, output) = (ends[0], ends[1])
        }

        deinit {
            closeOutput()
            close(input)
        }

        func closeOutput() {
            if isOpen { close(output) }
            isOpen = false
        }

        func write(_ text: String) { #expect(Glibc.write(output, text, text.utf8.count) == text.utf8.count) }
    }

    private func read(_ input: borrowing NonblockingInput) -> (NonblockingInput.Outcome, [UInt8]) {
        var bytes = [UInt8](repeating: 0, count: 16)
        let outcome = bytes.withUnsafeMutableBytes { input.read(into: $0) }
        if case .bytes(let count) = outcome { return (outcome, Array(bytes[..<count])) }
        return (outcome, [])
    }

    @Test("Bytes that another process was quicker to read make no reader wait", arguments: Kind.allCases)
    func beaten(kind: Kind) throws {
        let ends = try Ends(kind)
        let input = NonblockingInput(ends.input)
        ends.write("abc")
        var entry = pollfd(fd: ends.input, events: Int16(POLLIN), revents: 0)
        #expect(poll(&entry, 1, -1) == 1)
        var stolen = [UInt8](repeating: 0, count: 16)
        #expect(Glibc.read(ends.input, &stolen, 16) == 3)
        #expect(read(input).0 == .empty)
        ends.write("de")
        #expect(poll(&entry, 1, -1) == 1)
        #expect(read(input) == (.bytes(2), Array("de".utf8)))
    }

    @Test("The open file that other processes share stays as it is", arguments: Kind.allCases)
    func sharedFlags(kind: Kind) throws {
        let ends = try Ends(kind)
        let input = NonblockingInput(ends.input)
        #expect(read(input).0 == .empty)
        #expect(fcntl(ends.input, F_GETFL) & O_NONBLOCK == 0)
    }

    @Test("The end of the input is not taken for an empty one", arguments: Kind.allCases)
    func end(kind: Kind) throws {
        let ends = try Ends(kind)
        let input = NonblockingInput(ends.input)
        ends.closeOutput()
        #expect(read(input).0 == .ended)
    }

    @Test("A file is read to its end")
    func regularFile() {
        var template = Array("/tmp/aerie-input-XXXXXX".utf8CString)
        let file = mkstemp(&template)
        defer { close(file) }
        unlink(template)
        #expect(Glibc.write(file, "abc", 3) == 3)
        lseek(file, 0, SEEK_SET)
        let input = NonblockingInput(file)
        #expect(read(input) == (.bytes(3), Array("abc".utf8)))
        #expect(read(input).0 == .ended)
    }
}
