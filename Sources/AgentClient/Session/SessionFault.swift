package import AgentProtocol

/// A message of the agent that the client cannot accept. The session is over.
package enum SessionFault: Error, Equatable, Sendable {
    /// The message is not well formed.
    case malformed(ProtocolFault)
    /// The message is not allowed in the session's present state.
    case unexpected(FrameType)
    /// The granted bytes that were not sent yet are more than the protocol's bound.
    case tooMuchCredit
    /// The agent speaks another version of the protocol.
    case version(UInt32)

    /// A phrase for a person.
    package var text: String {
        switch self {
        case .malformed(let fault): "\(fault.text)"
        case .unexpected(let type): "a message of type \(type.rawValue) came at the wrong time"
        case .tooMuchCredit: "it granted more than \(AgentLimits.credit) bytes of input"
        case .version(let version): "it has version \(version)"
        }
    }
}
