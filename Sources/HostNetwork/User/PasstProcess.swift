internal import CLinux
internal import Glibc
internal import HostSystem

/// A running passt, which connects one socket with frames to the host's network (passt(1)).
///
/// It ends by itself when the socket's other end is closed, however that happens.
final class PasstProcess {
    /// The most bytes of messages that are kept.
    private static let longestMessages = 4096

    private let identifier: pid_t
    private let messages: FileDescriptor
    private var isReaped = false

    /// Starts the program with `socket` as its network card.
    init(path: String, arguments: [String], socket: borrowing FileDescriptor) throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        _ = try checked("pipe2") { aerie_pipe(&ends) }
        messages = FileDescriptor(owning: ends[0])
        let theirs = FileDescriptor(owning: ends[1])
        let words = [path, "--foreground", "--fd", "\(aerie_spawn_first_descriptor)"] + arguments
        var process: pid_t = 0
        let code = Self.withStrings(words) { words in
            aerie_spawn_isolated(&process, path, words, socket.rawValue, theirs.rawValue)
        }
        guard code == 0 else { throw SystemError("posix_spawn \(path)", code: code) }
        identifier = process
    }

    deinit { end() }

    private static func withStrings<Result>(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers = strings.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        return pointers.withUnsafeMutableBufferPointer { body(UnsafePointer($0.baseAddress!)) }
    }

    /// Ends the program if it runs, and collects it.
    func end() {
        guard !isReaped else { return }
        isReaped = true
        kill(identifier, SIGKILL)
        while waitpid(identifier, nil, 0) == -1, errno == EINTR {}
    }

    /// The last line that the program wrote to standard error; nil if there is none.
    func lastMessage() -> String? {
        var text: [UInt8] = []
        var bytes = [UInt8](repeating: 0, count: Self.longestMessages)
        while case let count = bytes.withUnsafeMutableBytes({ Glibc.read(messages.rawValue, $0.baseAddress, $0.count) }),
            count > 0
        {
            text = (text + bytes[..<count]).suffix(Self.longestMessages)
        }
        let lines = text.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
        // Without a system logger, one version complains about that before each of its lines.
        return lines.last { !$0.isEmpty && !$0.hasSuffix("to syslog") }
    }

    /// The program's path: the first in the directories of PATH; nil if none has it.
    static func locate(_ name: String = "passt") -> String? {
        let path = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
        for directory in path.split(separator: ":") where directory.hasPrefix("/") {
            let file = "\(directory)/\(name)"
            if access(file, X_OK) == 0 { return file }
        }
        return nil
    }
}
