internal import CLinux
internal import Glibc
package import HostSystem

/// A running passt, which connects one socket with frames to the host's network (passt(1)).
///
/// It ends by itself when the socket's other end is closed, however that happens.
package final class PasstProcess: RunningPasst {
    private let identifier: pid_t
    private var messages: PasstMessages?
    private var isReaped = false

    /// Starts the program with `socket` as its network card.
    package init(path: String, arguments: [String], socket: borrowing FileDescriptor) throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        _ = try checked("pipe2") { aerie_pipe(&ends) }
        messages = PasstMessages(owning: FileDescriptor(owning: ends[0]))
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
    package func end() {
        guard !isReaped else { return }
        isReaped = true
        kill(identifier, SIGKILL)
        while waitpid(identifier, nil, 0) == -1, errno == EINTR {}
    }

    package func lastMessage() -> String? { messages?.last() }

    /// Gives the messages away to whoever speaks for the card.
    package func takeMessages() -> Int32? { messages.take()?.release() }

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
