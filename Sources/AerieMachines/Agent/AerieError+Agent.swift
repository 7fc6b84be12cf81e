internal import AgentClient
internal import AgentProtocol

extension AerieError {
    /// An error of the way to a guest's agent.
    ///
    /// - Parameter runsCommand: whether the request was for a command, so that its state is of interest.
    init(asked: String, _ error: AgentError, runsCommand: Bool = false) {
        let category: Category =
            switch error {
            case .noMachine: .usage
            case .machineEnded, .notListening, .noAnswer, .lost, .brokenProtocol: .connectionLost
            case .version, .system: .unavailable
            case .refused(let failure): failure.category
            case .brokenArchive: .badInput
            case .interrupted: .cancelled
            case .tooLarge: .usage
            case .output: .inputOutput
            }
        let found = category == .cancelled ? "the task was cancelled" : error.found
        self.init(category, asked: asked, found: found, advice: error.advice(runsCommand: runsCommand))
    }
}

extension AgentFailure {
    fileprivate var category: AerieError.Category {
        switch code {
        case .notFound: .commandNotFound
        case .notExecutable, .badUser, .badDirectory, .file: .refusedByGuest
        case .busy, .unsupported: .unavailable
        case .faultyMessage, .inside: .internalError
        }
    }
}
