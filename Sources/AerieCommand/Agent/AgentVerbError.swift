internal import AgentClient

/// The reason why a verb that needs a machine's agent fails.
struct AgentVerbError: Error, Equatable, CustomStringConvertible {
    /// Exit codes of errors that are not the agent's.
    enum Code: Int32 {
        case failed = 1
        case usage = 64
        case noMachine = 125
    }

    /// One line in three parts: the request, the obstacle, the advice.
    let description: String
    let exitCode: Int32

    init(_ code: Code, asked: String, found: String, advice: String = "") {
        description = Self.line(asked, found, advice)
        exitCode = code.rawValue
    }

    /// - Parameters:
    ///   - asked: the request, such as a verb and a machine's name.
    ///   - command: the command that runs, for a verb that runs one. The agent's refusal is about this.
    ///   - code: the exit code where the error's own is for commands only.
    init(asked: String, _ error: AgentError, command: String? = nil, code: Int32? = nil) {
        let isRefusal = if case .refused = error { true } else { false }
        let request = isRefusal && command != nil ? "\(asked): \(command ?? "")" : asked
        description = Self.line(request, error.found, error.advice(runsCommand: command != nil))
        exitCode = code ?? error.exitCode
    }

    private static func line(_ asked: String, _ found: String, _ advice: String) -> String {
        "\(asked): \(found)" + (advice.isEmpty ? "" : "; \(advice)")
    }
}
