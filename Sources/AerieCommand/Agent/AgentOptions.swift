internal import AgentClient
internal import ArgumentParser

/// The option of every verb that needs a machine's agent.
struct AgentOptions: ParsableArguments {
    private static let longest: UInt64 = 86_400

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Seconds to wait for the agent of a guest that still boots, 0 to 86400 (default: 60).", valueName: "seconds"
        ))
    var wait: String?

    /// - Throws: a usage error.
    func limit() throws(AgentVerbError) -> AgentWait {
        guard let wait else { return AgentWait() }
        guard let seconds = UInt64(wait), seconds <= Self.longest else {
            throw AgentVerbError(
                .usage, asked: "--wait", found: "'\(wait)' is not a valid number of seconds",
                advice: "give one from 0 to \(Self.longest)")
        }
        return AgentWait(limit: seconds)
    }
}
