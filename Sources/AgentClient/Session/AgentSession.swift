package import AgentProtocol

/// The client's side of one session as a state machine: bytes of the agent in, events out.
///
/// The agent is the guest's, and the guest may be hostile: each header is checked against the session's state before its payload is
/// waited for. A message that does not fit ends the session with a `SessionFault`, and has no other effect.
package struct AgentSession: Sendable {
    /// The request that the session is about.
    package enum Exchange: Equatable, Sendable {
        case command(hasTerminal: Bool, hasInput: Bool)
        case put
        case get
        case status
        case information
        /// DONE is the answer: CONFIGURE, POWEROFF, REBOOT, PING.
        case action
        case forward
        case listen
    }

    package enum Phase: Equatable, Sendable {
        /// The agent's HELLO has not come.
        case greeting
        /// The agent is greeted, and the request not sent.
        case idle
        /// The request is sent.
        case requested
        /// The command has started.
        case running
        /// The tar stream has ended; DONE or ERROR follows.
        case delivered
        /// The last message has come.
        case over
        /// The connection carries another socket's bytes.
        case forwarding
        /// The guest's socket is there.
        case listening
    }

    package enum Event: Equatable, Sendable {
        case greeted(bootID: [UInt8])
        case started(processID: UInt32)
        /// So many bytes of a stream are there. The caller takes them, or a part, with `takeData`.
        case data(stream: UInt8, count: Int)
        /// More bytes may be sent.
        case granted
        /// A stream of the command has ended.
        case ended(stream: UInt8)
        /// The tar stream has ended.
        case delivered
        case exited(CommandEnd)
        case done(files: UInt64, bytes: UInt64)
        case status(FileStatus)
        case information(GuestInformation)
        /// A program of the guest has connected.
        case arrived(UInt32)
        case refused(AgentFailure)
    }

    package private(set) var phase = Phase.greeting
    /// Bytes that may be sent in DATA.
    package private(set) var credit = 0
    private var exchange: Exchange?
    /// The DATA message whose bytes come at present.
    private var stream: UInt8 = 0
    private var dataLeft = 0
    /// The streams that END has ended, as bits.
    private var endedStreams: UInt8 = 0

    package init() {}

    /// How far the request has come.
    package var progress: AgentError.Progress {
        switch phase {
        case .greeting, .idle: .notSent
        case .requested: .sent
        case .running, .delivered, .over, .forwarding, .listening: .started
        }
    }

    /// Notes that the request is being sent. After the agent's HELLO, once.
    package mutating func request(_ exchange: Exchange) {
        precondition(phase == .idle, "a session has one request, after the greeting")
        self.exchange = exchange
        phase = .requested
    }

    /// Notes that so many bytes of DATA are being sent, at most `credit`.
    package mutating func spend(_ count: Int) {
        precondition(0...credit ~= count, "data stays within the credit")
        credit -= count
    }

    /// Looks at bytes from `range.lowerBound` on.
    ///
    /// - Returns: how many bytes were consumed, and an event. Neither means that more bytes have to come first.
    package mutating func next(
        _ bytes: [UInt8], in range: Range<Int>
    ) throws(SessionFault) -> (consumed: Int, event: Event?) {
        if dataLeft > 0 {
            let count = min(dataLeft, range.count)
            return (0, count > 0 ? .data(stream: stream, count: count) : nil)
        }
        guard range.count >= FrameHeader.size else { return (0, nil) }
        let header: FrameHeader
        do throws(ProtocolFault) {
            header = try FrameHeader(bytes, at: range.lowerBound)
        } catch {
            throw .malformed(error)
        }
        try admit(header)
        if header.type == .data {
            stream = header.stream
            dataLeft = header.length
            return (FrameHeader.size, nil)
        }
        guard range.count - FrameHeader.size >= header.length else { return (0, nil) }
        let start = range.lowerBound + FrameHeader.size
        let payload = Array(bytes[start..<start + header.length])
        let message: AgentMessage
        do throws(ProtocolFault) {
            message = try AgentMessage(Frame(header.type, stream: header.stream, payload: payload))
        } catch {
            throw .malformed(error)
        }
        return (FrameHeader.size + header.length, try take(message))
    }

    /// Takes bytes of the last `data` event, which the caller removes from the start of its bytes.
    package mutating func takeData(_ count: Int) {
        precondition(0...dataLeft ~= count, "no more data is taken than has come")
        dataLeft -= count
    }

    // MARK: The states

    /// The longest payload of a message other than DATA and of the two large answers.
    private static let smallPayload = 8 + AgentLimits.errorText

    private mutating func admit(_ header: FrameHeader) throws(SessionFault) {
        guard allows(header) else { throw .unexpected(header.type) }
        let limit =
            switch header.type {
            case .data: AgentLimits.data
            case .fileStatus, .information: AgentLimits.payload
            default: Self.smallPayload
            }
        guard header.length <= limit, header.type != .data || header.length > 0 else { throw .malformed(.length) }
    }

    /// Whether a message may come in the present state.
    private func allows(_ header: FrameHeader) -> Bool {
        if header.type == .error { return phase != .over && phase != .forwarding }
        switch (phase, exchange) {
        case (.greeting, _): return header.type == .hello
        case (.requested, .command): return header.type == .started
        case (.running, .command(let hasTerminal, let hasInput)):
            switch header.type {
            case .data, .end:
                let isOpen = endedStreams & 1 << header.stream == 0
                return isOpen && (header.stream == 1 || header.stream == 2 && !hasTerminal)
            case .credit: return hasInput
            default: return header.type == .exit
            }
        case (.requested, .put): return header.type == .credit || header.type == .done
        case (.requested, .get):
            return header.stream == 1 && header.type == .data || header.stream == 1 && header.type == .end
        case (.delivered, .get): return header.type == .done
        case (.requested, .status): return header.type == .fileStatus
        case (.requested, .information): return header.type == .information
        case (.requested, .action), (.requested, .forward), (.requested, .listen):
            return header.type == .done
        case (.listening, _): return header.type == .arrived
        default: return false
        }
    }

    /// Changes the state by a message that `admit` has let through.
    private mutating func take(_ message: AgentMessage) throws(SessionFault) -> Event? {
        switch message {
        case .hello(let version, let bootID):
            guard version == AgentLimits.version else { throw .version(version) }
            phase = .idle
            return .greeted(bootID: bootID)
        case .started(let processID):
            phase = .running
            return .started(processID: processID)
        case .credit(let bytes):
            credit += Int(bytes)
            guard credit <= AgentLimits.credit else { throw .tooMuchCredit }
            return .granted
        case .end(let stream):
            if case .command = exchange {
                endedStreams |= 1 << stream
                return .ended(stream: stream)
            }
            phase = .delivered
            return .delivered
        case .exit(let end):
            phase = .over
            return .exited(end)
        case .done(let files, let bytes):
            phase = exchange == .forward ? .forwarding : exchange == .listen ? .listening : .over
            return .done(files: files, bytes: bytes)
        case .status(let status):
            phase = .over
            return .status(status)
        case .information(let information):
            phase = .over
            return .information(information)
        case .arrived(let number): return .arrived(number)
        case .error(let failure):
            phase = .over
            return .refused(failure)
        case .data: throw .unexpected(.data)
        }
    }
}
