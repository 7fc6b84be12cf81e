internal import AgentProtocol
internal import Glibc
internal import HostSystem

/// Connects this process's standard streams with a command in a guest, on the calling thread, until the command ends.
///
/// Nothing waits for a single side: an output whose reader stalls stops reading the connection, and with it the command, but signals and
/// changes of the window's size still go out, and so does input that the agent has asked for.
package struct CommandRelay: ~Copyable {
    /// Typed bytes that wait for the agent's credit at most.
    private static let typedLimit = 4096
    /// So many signals in a row get the agent's time; the next one ends the relay.
    private static let unansweredLimit = 2
    /// Nanoseconds after a signal to end the command in which an agent that lives is heard of, as a rule; and seconds in which it answers when
    /// it is asked.
    private static let silenceLimit: UInt64 = 10_000_000_000
    private static let answerLimit: UInt64 = 5

    var connection: AgentConnection
    private let connector: any AgentConnector
    private let request: CommandRequest
    private let streams: RelayStreams
    /// Whether keys are typed at a terminal of this host, which is in raw mode while the command runs.
    let isRaw: Bool
    private let source: NonblockingInput
    private let output: RelayOutput
    private let error: RelayOutput

    private var hasStarted = false
    private var detachKeys: DetachKeys
    /// Typed bytes that the agent has not asked for yet.
    private var typed: [UInt8] = []
    private var inputHasEnded: Bool
    private var hasSentEnd = false
    private var errorIsClosed = false
    /// The descriptor of an output whose reader takes nothing now.
    private var blocked: Int32?
    private var agentHasEnded = false
    private var size: (columns: UInt16, rows: UInt16)?
    /// Signals to end the command since the agent was last heard of.
    private var unanswered = 0
    /// When the agent is asked whether it lives, in nanoseconds of `HostClock.monotonic`: some time after a signal to end the command without
    /// an answer.
    private var askAt: UInt64?

    private init(
        _ request: CommandRequest, _ connection: consuming AgentConnection, _ connector: any AgentConnector,
        _ streams: RelayStreams
    ) {
        self.connection = connection
        self.connector = connector
        self.request = request
        self.streams = streams
        isRaw = request.hasTerminal && request.hasInput && Terminal.isTerminal(streams.input)
        source = NonblockingInput(streams.input)
        output = RelayOutput(streams.output)
        error = RelayOutput(streams.error)
        detachKeys = streams.detachKeys
        inputHasEnded = !request.hasInput
    }

    /// Runs a command in a guest.
    ///
    /// Until the agent has taken the request, signals have their usual actions; then they are the command's.
    ///
    /// - Returns: how the command ended, or why the relay did before it.
    package static func run(
        _ request: CommandRequest, through connector: any AgentConnector, wait: AgentWait = AgentWait(),
        streams: RelayStreams = RelayStreams()
    ) throws(AgentError) -> CommandOutcome {
        var relay = CommandRelay(request, try wait.connect(connector), connector, streams)
        // A write to an output without a reader fails with EPIPE; the signal would end this program without a word.
        SignalWatch.discard(SIGPIPE)
        let signals: SignalInbox
        do throws(SystemError) { signals = try SignalInbox(relay.watchedSignals) } catch { throw .system(error) }
        defer { Terminal.restore() }
        return try relay.relay(signals)
    }

    /// In raw mode, `Terminal` has actions of its own for SIGTSTP and SIGQUIT, which put the terminal back.
    private var watchedSignals: [Int32] {
        [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2] + (isRaw ? [] : [SIGQUIT, SIGTSTP])
            + (request.hasTerminal ? [SIGWINCH] : [])
    }

    private mutating func relay(_ signals: borrowing SignalInbox) throws(AgentError) -> CommandOutcome {
        size = windowSize
        let exchange = AgentSession.Exchange.command(hasTerminal: request.hasTerminal, hasInput: request.hasInput)
        try connection.request(.execute(request.message(size)), exchange)
        while true {
            if let outcome = try takeEvents() { return outcome }
            if agentHasEnded, blocked == nil { throw .lost(connection.session.progress) }
            try connection.flush()
            while sendInput() { try connection.flush() }
            let ready = poll(signals.descriptor)
            if ready.hasSignal {
                while let signal = signals.next() {
                    if let outcome = try take(signal) { return outcome }
                }
            }
            if ready.hasInput, takeInput() { return .detached }
            if !ready.hasBytes { try askAgent() }
            if ready.hasBytes {
                unanswered = 0
                askAt = nil
                if try connection.receive() == .end { agentHasEnded = true }
            }
        }
    }

    // MARK: Waiting

    private func poll(_ signals: Int32) -> (hasBytes: Bool, hasInput: Bool, hasSignal: Bool) {
        let reads = blocked == nil && !agentHasEnded
        let sends = connection.hasOutgoing
        let events = Int16(reads ? POLLIN : 0) | Int16(sends ? POLLOUT : 0)
        var entries = [
            // poll ignores a negative descriptor. Without that, an end of the connection would be told again and again.
            pollfd(fd: reads || sends ? connection.descriptor.rawValue : -1, events: events, revents: 0),
            pollfd(fd: takesInput ? streams.input : -1, events: Int16(POLLIN), revents: 0),
            pollfd(fd: signals, events: Int16(POLLIN), revents: 0),
            pollfd(fd: blocked ?? -1, events: Int16(POLLOUT), revents: 0),
        ]
        guard Glibc.poll(&entries, UInt(entries.count), pollTimeout) > 0 else { return (false, false, false) }
        return (reads && entries[0].revents & ~Int16(POLLOUT) != 0, entries[1].revents != 0, entries[2].revents != 0)
    }

    /// Milliseconds; -1 without a limit.
    private var pollTimeout: Int32 {
        guard let askAt else { return -1 }
        let now = HostClock.monotonic()
        return askAt > now ? Int32((askAt - now) / 1_000_000 + 1) : 0
    }

    /// When it is time, asks the agent whether it lives. A command may take no notice of signals for as long as it likes, and so may one in
    /// a machine that stands still.
    private mutating func askAgent() throws(AgentError) {
        guard let time = askAt, HostClock.monotonic() >= time else { return }
        askAt = connector.standsStill ? HostClock.monotonic() + Self.silenceLimit : nil
        guard askAt == nil else { return }
        let client = AgentClient(
            connector, wait: AgentWait(limit: Self.answerLimit), answerLimit: Self.answerLimit)
        do throws(AgentError) {
            try client.ping()
        } catch .refused {
            // An answer, all the same.
        } catch {
            // The command's last words may have come meanwhile.
            guard try connection.receive() == .bytes else { throw .lost(connection.session.progress) }
        }
    }

    /// A terminal is read without credit, too: the detach keys work with an agent that takes nothing.
    private var takesInput: Bool {
        guard hasStarted, !inputHasEnded else { return false }
        return isRaw ? typed.count < Self.typedLimit : connection.takesInput
    }

    // MARK: From the agent

    private mutating func takeEvents() throws(AgentError) -> CommandOutcome? {
        blocked = nil
        while let event = try connection.next() {
            switch event {
            case .started: try begin()
            case .data(let stream, let count):
                if let outcome = try deliver(stream, count) { return outcome }
                if blocked != nil { return nil }
            case .exited(let end): return .ended(end)
            case .refused(let failure): throw .refused(failure)
            default: break
            }
        }
        return nil
    }

    private mutating func begin() throws(AgentError) {
        hasStarted = true
        guard isRaw else { return }
        do throws(SystemError) {
            try Terminal.enterRawMode(input: streams.input, output: streams.output)
        } catch {
            throw .system(error)
        }
        sendWindowSize()
    }

    private mutating func deliver(_ stream: UInt8, _ count: Int) throws(AgentError) -> CommandOutcome? {
        let isError = stream == 2
        if isError, errorIsClosed {
            connection.takeData(count)
            return nil
        }
        if isRaw {
            let hasEscape = connection.peekData(count) { memchr($0.baseAddress!, 0x1B, $0.count) != nil }
            if hasEscape { Terminal.noteEscapeSequence() }
        }
        let outcome = write(count, isError: isError)
        switch outcome {
        case .written: return nil
        case .full:
            blocked = isError ? error.descriptor : output.descriptor
            return nil
        case .closed where isError:
            errorIsClosed = true
            return nil
        case .closed: return .outputClosed
        case .failed(let error): throw .output(error)
        }
    }

    private mutating func write(_ count: Int, isError: Bool) -> RelayOutput.Outcome {
        let outcome = connection.peekData(count) { isError ? error.write($0) : output.write($0) }
        if case .written(let written) = outcome { connection.takeData(written) }
        return outcome
    }

    // MARK: To the agent

    /// Reads what there is.
    ///
    /// - Returns: whether the user has typed the detach keys.
    private mutating func takeInput() -> Bool {
        if !isRaw {
            var outcome = NonblockingInput.Outcome.empty
            connection.sendInput { bytes in
                outcome = source.read(into: bytes)
                if case .bytes(let count) = outcome { return count }
                return 0
            }
            if outcome == .ended { inputHasEnded = true }
            return false
        }
        var chunk = [UInt8](repeating: 0, count: Self.typedLimit)
        switch chunk.withUnsafeMutableBytes({ source.read(into: $0) }) {
        case .empty: return false
        case .ended:
            inputHasEnded = true
            return false
        case .bytes(let count):
            let (bytes, isDetached) = detachKeys.examine(chunk[..<count])
            typed += bytes
            return isDetached
        }
    }

    /// Queues typed bytes within the credit, or the end of the input behind them.
    ///
    /// - Returns: whether there is something to send.
    private mutating func sendInput() -> Bool {
        if !typed.isEmpty, connection.takesInput {
            var count = 0
            connection.sendInput { room in
                count = min(room.count, typed.count)
                room.copyBytes(from: typed[..<count])
                return count
            }
            typed.removeFirst(count)
            return true
        }
        guard inputHasEnded, !hasSentEnd, request.hasInput, hasStarted, typed.isEmpty, connection.isInputSent else {
            return false
        }
        connection.send(.end)
        hasSentEnd = true
        return true
    }

    private mutating func take(_ signal: Int32) throws(AgentError) -> CommandOutcome? {
        switch signal {
        case SIGWINCH: sendWindowSize()
        case SIGTSTP:
            guard hasStarted else { break }
            try pass(signal)
            // This process stops with its command; here it goes on.
            raise(SIGSTOP)
            try pass(SIGCONT)
        case SIGUSR1, SIGUSR2:
            guard hasStarted else { return .interrupted(signal) }
            try pass(signal)
        default:
            let isStuck = connection.hasWaitingMessages || unanswered == Self.unansweredLimit
            guard hasStarted, !isStuck else { return .interrupted(signal) }
            unanswered += 1
            askAt = HostClock.monotonic() + Self.silenceLimit
            try pass(signal)
        }
        return nil
    }

    private mutating func pass(_ signal: Int32) throws(AgentError) {
        // More wait only for an agent that does not read, which need not hear of each.
        guard !connection.hasWaitingMessages else { return }
        connection.send(.signal(UInt32(signal)))
        try connection.flush()
    }

    private mutating func sendWindowSize() {
        guard hasStarted, !connection.hasWaitingMessages else { return }
        guard let now = windowSize, now.columns != size?.columns || now.rows != size?.rows else { return }
        size = now
        connection.send(.window(rows: now.rows, columns: now.columns))
    }

    /// The size of the window that shows the output.
    private var windowSize: (columns: UInt16, rows: UInt16)? {
        guard request.hasTerminal else { return nil }
        return Terminal.windowSize(streams.output) ?? Terminal.windowSize(streams.input)
    }
}
