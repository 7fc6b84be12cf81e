package import AgentProtocol

/// A command to run in a guest.
package struct CommandRequest: Equatable, Sendable {
    /// The program and its arguments.
    package var arguments: [String]
    /// `K=V` each; of two of a name the later one holds.
    package var environment: [String] = []
    /// Where the command starts; nil means the user's home.
    package var directory: String?
    /// `NAME|UID[:GROUP|GID]`; nil means root.
    package var user: String?
    /// Whether the command has a terminal of its own.
    package var hasTerminal = false
    /// Whether the command gets this program's standard input.
    package var hasInput = false

    package init(arguments: [String]) {
        self.arguments = arguments
    }

    /// - Parameter size: of the window, for a command with a terminal; nil for 80 columns and 24 rows.
    package func message(_ size: (columns: UInt16, rows: UInt16)?) -> ExecuteRequest {
        var request = ExecuteRequest(arguments: arguments.map { Array($0.utf8) })
        request.environment = environment.map { Array($0.utf8) }
        request.directory = directory.map { Array($0.utf8) }
        request.user = user.map { Array($0.utf8) }
        request.hasTerminal = hasTerminal
        request.hasInput = hasInput
        if hasTerminal, let size { (request.columns, request.rows) = (size.columns, size.rows) }
        return request
    }
}
