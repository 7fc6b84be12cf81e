package import HostSystem

/// The way to a machine's agent.
package protocol AgentConnector: Sendable {
    /// Tries once to connect to the agent.
    ///
    /// - Parameters:
    ///   - greeting: the session's first bytes, which go with the request for the connection: the agent finds them when it accepts. At most 64.
    ///   - deadline: in nanoseconds of `HostClock.monotonic`; when it passes, the call throws `ConnectFailure.notYet`.
    /// - Returns: a connected stream that does not block, of whose session `greeting` was written and nothing was read.
    func connect(greeting: [UInt8], by deadline: UInt64) throws(ConnectFailure) -> FileDescriptor

    /// Whether the machine has ended, so that a wait for its agent has no sense. False where nobody knows.
    var hasEnded: Bool { get }

    /// Whether the machine is paused, so that its agent answers nobody. False where nobody knows.
    var standsStill: Bool { get }
}

extension AgentConnector {
    package var hasEnded: Bool { false }
    package var standsStill: Bool { false }
}

/// The reason why an attempt to connect failed.
package enum ConnectFailure: Error, Equatable, Sendable {
    /// The agent does not listen. It may do so later.
    case notYet
    /// Another attempt makes no sense; a phrase for a person.
    case noMachine(String)
    /// A call of this host failed.
    case system(SystemError)
}
