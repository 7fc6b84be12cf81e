package import AgentProtocol
package import HostSystem

/// The reason why a request to a guest's agent has no result.
package enum AgentError: Error, Equatable, Sendable {
    /// How far a request had come when its connection ended.
    package enum Progress: Equatable, Sendable {
        /// The request was not sent.
        case notSent
        /// The request was sent, and the agent had not answered.
        case sent
        /// The agent had said that it began.
        case started
    }

    /// No machine is at the other end of the connector.
    case noMachine(String)
    /// The machine ended before its agent listened.
    case machineEnded
    /// The agent did not listen within the caller's time.
    case notListening(seconds: UInt64)
    /// The agent did not answer within the caller's time.
    case noAnswer(seconds: UInt64)
    /// The agent speaks another version of the protocol.
    case version(UInt32)
    /// The connection ended before the request was done.
    case lost(Progress)
    /// The agent broke the protocol, so that the client ended the connection.
    case brokenProtocol(SessionFault, Progress)
    /// The agent refused the request, or failed at it.
    case refused(AgentFailure)
    /// The guest's tar stream is malformed; a phrase for a person.
    case brokenArchive(String)
    /// A signal ended the request.
    case interrupted(Int32)
    /// The request does not fit into the protocol's messages.
    case tooLarge
    /// The program's own output failed.
    case output(SystemError)
    /// A call of this host failed.
    case system(SystemError)

    /// The exit code of a command that ends with this error: 126 and 127 as a shell has them, 74 for lost output, 125 otherwise.
    package var exitCode: Int32 {
        switch self {
        case .refused(let failure): failure.exitCode
        case .output: 74
        case .tooLarge: 64
        default: 125
        }
    }

    /// The obstacle, as a phrase without a full stop.
    package var found: String {
        switch self {
        case .noMachine(let reason): reason
        case .machineEnded: "the machine ended before its agent listened"
        case .notListening(let seconds): "the guest's agent did not listen within \(seconds) s"
        case .noAnswer(let seconds): "the guest's agent did not answer within \(seconds) s"
        case .version(let version):
            "the guest's agent has version \(version) of the protocol, and this program version \(AgentLimits.version)"
        case .lost: "the connection to the guest's agent was lost"
        case .brokenProtocol(let fault, _): "the guest's agent broke the protocol: \(fault.text)"
        case .refused(let failure): failure.phrase
        case .brokenArchive(let reason): "the guest's archive is malformed: \(reason)"
        case .interrupted: "interrupted"
        case .tooLarge: "the request has more than \(AgentLimits.payload) bytes"
        case .output(let error): error.description
        case .system(let error): error.description
        }
    }

    /// Advice or consequences; empty when there are none.
    ///
    /// - Parameter runsCommand: whether the request was for a command, so that its state is of interest.
    package func advice(runsCommand: Bool) -> String {
        switch self {
        case .noMachine, .machineEnded: runsCommand ? "the command has not run" : ""
        case .notListening:
            "look at the guest's console; it needs an image made by aerie and the vsock driver"
                + (runsCommand ? "; the command has not run" : "")
        case .noAnswer: runsCommand ? "the command may have run" : ""
        case .version: "start the machine again, which gives it this program's agent"
        case .lost(let progress), .brokenProtocol(_, let progress): runsCommand ? progress.ofCommand : ""
        case .refused, .brokenArchive, .interrupted: ""
        case .tooLarge: "give fewer or shorter arguments and variables"
        case .output: "the output is incomplete"
        case .system: ""
        }
    }
}

extension AgentError.Progress {
    fileprivate var ofCommand: String {
        switch self {
        case .notSent: "the command has not run"
        case .sent: "the command may have run"
        case .started: "the command has run, and may still run"
        }
    }
}

extension AgentFailure {
    fileprivate var exitCode: Int32 {
        switch code {
        case .notFound: 127
        case .notExecutable, .badUser, .badDirectory: 126
        default: 125
        }
    }

    /// The agent's text, printable, or a phrase for its code.
    fileprivate var phrase: String {
        let text = PrintableText.of(self.text)
        if !text.isEmpty { return text }
        return switch code {
        case .faultyMessage: "the guest's agent found this program's message faulty"
        case .busy: "the guest's agent has as many sessions as it can have"
        case .notFound: "it was not found in the guest"
        case .notExecutable: "the guest cannot execute it"
        case .badUser: "the guest has no such user or group"
        case .badDirectory: "the guest has no such directory"
        case .file: SystemError("in the guest", code: Int32(errno)).description
        case .unsupported: "the guest's agent does not support it"
        case .inside: "the guest's agent failed"
        }
    }
}
