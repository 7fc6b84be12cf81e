internal import AgentClient

/// A command to run in a guest.
///
/// The agent in the guest starts the program itself, without a shell. An array literal is a command with these words: `["ls", "-l"]`.
public struct GuestCommand: Equatable, Sendable, ExpressibleByArrayLiteral {
    /// The program and its arguments: at least the program, which is searched in PATH unless its name has a slash. All words and variables have
    /// less than 256 KiB together.
    public var arguments: [String]
    /// Variables in addition to the agent's: PATH, HOME, USER, LOGNAME, SHELL and LANG.
    public var environment: [String: String] = [:]
    /// The directory in which the command starts; nil for the user's home.
    public var directory: String?
    /// The user as `NAME|UID[:GROUP|GID]`; nil for root.
    public var user: String?
    /// The time that the command may take, from its start in the guest; nil for no limit. At the limit the command and its process group are
    /// killed, and the status is `CommandStatus.timedOut`.
    public var timeLimit: Duration?
    /// The size of the window of a terminal that the command gets; nil for no terminal. The output then has the bytes of the terminal, errors
    /// included, and the input those of its keys. Set `TERM` in `environment` for programs that want to know the kind of the terminal.
    public var terminal: TerminalSize?
    /// The path of the socket of an SSH agent of this host that the command may use, such as the value of `SSH_AUTH_SOCK`; nil for none. The
    /// guest reaches nothing else of the host by it, and its root can use the agent as long as the command runs.
    public var sshAgent: String?

    /// A command with these words.
    public init(_ arguments: [String]) { self.arguments = arguments }

    /// A command with these words.
    public init(arrayLiteral elements: String...) { arguments = elements }

    /// A script of `/bin/sh`.
    ///
    /// - Parameters:
    ///   - script: the text of the script.
    ///   - arguments: the script's `$1` and so on.
    public static func shell(_ script: String, _ arguments: String...) -> GuestCommand {
        GuestCommand(["/bin/sh", "-c", script, "sh"] + arguments)
    }

    /// Throws `usage` unless the command can be sent.
    func validate() throws(AerieError) {
        func refuse(_ found: String) -> AerieError {
            AerieError(.usage, asked: "a command for the guest", found: found)
        }
        guard let program = arguments.first, !program.isEmpty else { throw refuse("the program's name is missing") }
        let words = arguments + [directory ?? "", user ?? ""] + environment.values
        guard !(words + [sshAgent ?? ""]).contains(where: { $0.utf8.contains(0) }) else {
            throw refuse("a word has a zero byte")
        }
        for name in environment.keys where name.isEmpty || name.utf8.contains(0) || name.contains("=") {
            throw refuse("'\(name)' is not a valid name of a variable")
        }
        if let timeLimit, timeLimit <= .zero { throw refuse("the time limit \(timeLimit) is not positive") }
    }
}

extension GuestCommand {
    /// The request to the agent, without an input.
    var request: CommandRequest {
        var request = CommandRequest(arguments: arguments)
        request.environment = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        request.directory = directory
        request.user = user
        request.hasTerminal = terminal != nil
        return request
    }
}

/// How a command in a guest ended.
public enum CommandStatus: Equatable, Sendable {
    /// The command exited with this status, 0 to 255.
    case exited(Int32)
    /// A signal with this number ended the command.
    case signalled(Int32)
    /// The command was killed at its time limit.
    case timedOut

    /// The exit code that a shell reports: 128 and the signal's number for a signal, 124 for a command at its limit, as timeout(1) has it.
    public var code: Int32 {
        switch self {
        case .exited(let status): status
        case .signalled(let signal): 128 + signal
        case .timedOut: 124
        }
    }
}

/// What a command in a guest left behind.
public struct CommandResult: Equatable, Sendable {
    /// How the command ended.
    public var status: CommandStatus
    /// The first bytes of the standard output, up to the caller's limit.
    public var output: [UInt8]
    /// The first bytes of the standard error, up to the caller's limit.
    public var error: [UInt8]
    /// Whether the command wrote more than the limit to one of the two.
    public var isTruncated: Bool

    /// The output as text; malformed UTF-8 is repaired.
    public var text: String { String(decoding: output, as: UTF8.self) }
    /// The standard error as text; malformed UTF-8 is repaired.
    public var errorText: String { String(decoding: error, as: UTF8.self) }
}
