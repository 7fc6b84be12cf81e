package import AgentProtocol

/// How a relay of a command ended without an error.
package enum CommandOutcome: Equatable, Sendable {
    case ended(CommandEnd)
    /// The user left with the detach keys.
    case detached
    /// The reader of standard output is gone, so that the relay ended the connection: the caller ends as by SIGPIPE.
    case outputClosed
    /// A signal came before the command started, or after another one that the agent did not take.
    case interrupted(Int32)
}
