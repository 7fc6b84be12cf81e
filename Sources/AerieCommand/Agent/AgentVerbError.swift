internal import Aerie
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

    /// The error of a verb that did not come as far as the agent.
    init(_ error: AerieError) {
        description = error.description
        exitCode = error.exitCode
    }

    /// - Parameters:
    ///   - asked: the request, such as a verb and a machine's name.
    ///   - runsCommand: whether the request was for a command, of which the line then says whether it has run.
    ///   - code: the exit code where the error's own is for commands only.
    init(asked: String, _ error: AgentError, runsCommand: Bool = false, code: Int32? = nil) {
        description = Self.line(asked, error.found, error.advice(runsCommand: runsCommand))
        exitCode = code ?? error.exitCode
    }

    private static func line(_ asked: String, _ found: String, _ advice: String) -> String {
        "\(asked): \(found)" + (advice.isEmpty ? "" : "; \(advice)")
    }
}
