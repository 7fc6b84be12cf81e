internal import AgentClient
internal import AgentProtocol
internal import Glibc
internal import HostSystem

/// Moves a command's bytes between its connection and the driver's pipes, on the driver's thread.
struct GuestCommandRelay: ~Copyable {
    /// Nanoseconds that the agent has to tell the end of a command that was killed.
    private static let killLimit: UInt64 = 2_000_000_000

    private let driver: CommandDriver
    private var connection: AgentConnection
    private var hasStarted = false
    private var hasSentEnd = false
    private var agentHasEnded = false
    /// An output is full, so that the connection is not read.
    private var isBlocked = false
    /// In nanoseconds of `HostClock.monotonic`.
    private var timeLimit: UInt64?
    /// Until when the end of a killed command is waited for.
    private var killDeadline: UInt64?
    private var isTimedOut = false

    init(_ driver: CommandDriver, _ connection: consuming AgentConnection) {
        self.driver = driver
        self.connection = connection
    }

    /// Runs the command to its end.
    mutating func run(_ request: CommandRequest) throws(AgentError) -> CommandStatus {
        if driver.isCancelled { throw .interrupted(0) }
        // The terminal has one output.
        if request.hasTerminal { driver.error.finish() }
        let size = driver.command.terminal.map { (columns: $0.columns, rows: $0.rows) }
        try connection.request(
            .execute(request.message(size)),
            .command(hasTerminal: request.hasTerminal, hasInput: request.hasInput))
        while true {
            if let status = try takeEvents() { return isTimedOut ? .timedOut : status }
            if agentHasEnded, !isBlocked {
                if isTimedOut { return .timedOut }
                throw driver.isCancelled ? .interrupted(0) : .lost(connection.session.progress)
            }
            if let status = try obey() { return status }
            try connection.flush()
            while sendInput() { try connection.flush() }
            try wait()
        }
    }

    // MARK: From the agent

    private mutating func takeEvents() throws(AgentError) -> CommandStatus? {
        isBlocked = false
        while let event = try connection.next() {
            switch event {
            case .started:
                hasStarted = true
                timeLimit = driver.command.timeLimit.map { HostClock.monotonic() &+ $0.nanoseconds }
                driver.started.resolve(.success(()))
            case .data(let stream, let count):
                let pipe = stream == 2 ? driver.error : driver.output
                let taken = connection.peekData(count) { pipe.offer($0) }
                connection.takeData(taken)
                if taken < count {
                    isBlocked = true
                    return nil
                }
            case .ended(let stream): (stream == 2 ? driver.error : driver.output).finish()
            case .exited(.exited(let status)): return .exited(Int32(status))
            case .exited(.signalled(let signal)): return .signalled(Int32(signal))
            case .refused(let failure): throw .refused(failure)
            default: break
            }
        }
        return nil
    }

    // MARK: To the agent

    /// Carries out a cancellation, the time limit, signals and another size of the window.
    ///
    /// - Returns: the status of a killed command whose end the agent does not tell.
    private mutating func obey() throws(AgentError) -> CommandStatus? {
        let now = HostClock.monotonic()
        if let killDeadline {
            guard now >= killDeadline else { return nil }
            if driver.isCancelled { throw .interrupted(0) }
            // The connection ends now, and the agent hangs up the command.
            return .timedOut
        }
        if let timeLimit, now >= timeLimit { isTimedOut = true }
        if driver.isCancelled || isTimedOut {
            // Before it has started there is nothing to kill: the end of the connection is the end of the request.
            guard hasStarted else { throw .interrupted(0) }
            connection.send(.signal(UInt32(SIGKILL)))
            killDeadline = now &+ Self.killLimit
            // Who is at the limit gets what was written before it; the rest is dropped so that the end comes.
            return nil
        }
        guard hasStarted, !connection.hasWaitingMessages else { return nil }
        for signal in driver.takeSignals() { connection.send(.signal(signal)) }
        if let size = driver.takeSize() { connection.send(.window(rows: size.rows, columns: size.columns)) }
        return nil
    }

    /// Queues input within the credit, or its end behind it.
    ///
    /// - Returns: whether there is something to send.
    private mutating func sendInput() -> Bool {
        guard driver.hasInput, hasStarted, !hasSentEnd else { return false }
        if connection.takesInput, driver.input.hasBytes {
            connection.sendInput { [driver] room in
                let bytes = driver.input.read(limit: room.count)
                room.copyBytes(from: bytes)
                return bytes.count
            }
            return true
        }
        guard driver.input.isAtEnd, connection.isInputSent else { return false }
        connection.send(.end)
        hasSentEnd = true
        return true
    }

    // MARK: Waiting

    private mutating func wait() throws(AgentError) {
        let reads = !isBlocked && !agentHasEnded
        let sends = connection.hasOutgoing
        let events = Int16(reads ? POLLIN : 0) | Int16(sends ? POLLOUT : 0)
        var entries = [
            // poll ignores a negative descriptor. Without that, an end of the connection would be told again and again.
            pollfd(fd: reads || sends ? connection.descriptor.rawValue : -1, events: events, revents: 0),
            pollfd(fd: driver.wake.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&entries, UInt(entries.count), timeout) > 0 else { return }
        if entries[1].revents != 0 { driver.wake.drain() }
        guard reads, entries[0].revents & ~Int16(POLLOUT) != 0 else { return }
        if try connection.receive() == .end { agentHasEnded = true }
    }

    /// Milliseconds until the next deadline; -1 for none.
    private var timeout: Int32 {
        guard let deadline = killDeadline ?? timeLimit else { return -1 }
        let now = HostClock.monotonic()
        return deadline <= now ? 0 : Int32(min((deadline - now + 999_999) / 1_000_000, 3_600_000))
    }
}
