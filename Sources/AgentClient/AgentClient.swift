package import AgentProtocol
internal import HostSystem

/// Requests to a machine's agent that have one answer. Each call makes a connection of its own, so that calls may be made at once from
/// several threads.
package struct AgentClient: Sendable {
    package let connector: any AgentConnector
    package let wait: AgentWait
    /// How long an answer may take, in seconds; nil waits without limit.
    package var answerLimit: UInt64?

    package init(_ connector: any AgentConnector, wait: AgentWait = AgentWait(), answerLimit: UInt64? = nil) {
        self.connector = connector
        self.wait = wait
        self.answerLimit = answerLimit
    }

    /// The status of a path in the guest; nil when there is nothing.
    ///
    /// - Parameter followsLinks: whether a symbolic link stands for its target.
    package func status(of path: [UInt8], followsLinks: Bool) throws(AgentError) -> FileStatus? {
        var request = StatusRequest(path: path)
        request.followsLinks = followsLinks
        do throws(AgentError) {
            guard case .status(let status) = try answer(.status(request), .status) else { throw unexpected }
            return status
        } catch .refused(let failure) where failure.code == .notFound {
            return nil
        }
    }

    package func information() throws(AgentError) -> GuestInformation {
        guard case .information(let information) = try answer(.inform, .information) else { throw unexpected }
        return information
    }

    /// - Parameter setsClock: gives the guest the time at which the agent takes the request: a guest that boots lets it wait.
    /// - Returns: how many programs of its own the guest has for a new identity; 0 unless the request asks for that.
    @discardableResult
    package func configure(_ request: ConfigureRequest, setsClock: Bool = false) throws(AgentError) -> UInt64 {
        try act(.configure(setsClock ? Self.withPresentTime(request) : request))
    }

    private static func withPresentTime(_ request: ConfigureRequest) -> ConfigureRequest {
        var timed = request
        let now = HostClock.realtime()
        timed.time = GuestTime(seconds: UInt64(now / 1_000_000_000), nanoseconds: UInt32(now % 1_000_000_000))
        return timed
    }

    package func powerOff() throws(AgentError) { _ = try act(.powerOff) }
    package func reboot() throws(AgentError) { _ = try act(.reboot) }
    package func ping() throws(AgentError) { _ = try act(.ping) }

    /// Runs a command without input, and drops its output.
    ///
    /// - Parameter limit: nanoseconds for the whole of it; the agent hangs up a command that takes longer.
    /// - Returns: how the command ended; nil when it took longer.
    package func run(_ request: CommandRequest, limit: UInt64) throws(AgentError) -> CommandEnd? {
        let (sum, overflows) = HostClock.monotonic().addingReportingOverflow(limit)
        let deadline = overflows ? .max : sum
        var connection = try wait.connect(connector)
        try connection.request(.execute(request.message(nil)), .command(hasTerminal: false, hasInput: false))
        // Output without an end is no excuse.
        while HostClock.monotonic() < deadline, let event = try connection.wait(by: deadline) {
            switch event {
            case .data(_, let count): connection.takeData(count)
            case .exited(let end): return end
            case .refused(let failure): throw .refused(failure)
            default: break
            }
        }
        return nil
    }

    /// Connects to a socket inside the guest. The connection is raw afterwards: `withRawBytes` has what has come already.
    package func forward(_ request: ForwardRequest) throws(AgentError) -> AgentConnection {
        var connection = try wait.connect(connector)
        try connection.request(.forward(request), .forward)
        guard case .done = try event(of: &connection) else { throw unexpected }
        return connection
    }

    /// - Returns: the number of files in the answer.
    private func act(_ request: @autoclosure () -> AgentRequest) throws(AgentError) -> UInt64 {
        guard case .done(let files, _) = try answer(request(), .action) else { throw unexpected }
        return files
    }

    /// - Parameter request: formed when the agent is there.
    private func answer(
        _ request: @autoclosure () -> AgentRequest, _ exchange: AgentSession.Exchange
    ) throws(AgentError) -> AgentSession.Event {
        var connection = try wait.connect(connector)
        try connection.request(request(), exchange)
        return try event(of: &connection)
    }

    private func event(of connection: inout AgentConnection) throws(AgentError) -> AgentSession.Event {
        let deadline = answerLimit.map { HostClock.monotonic() &+ $0 &* 1_000_000_000 }
        guard let event = try connection.wait(by: deadline) else { throw .noAnswer(seconds: answerLimit ?? 0) }
        if case .refused(let failure) = event { throw .refused(failure) }
        return event
    }

    /// The session lets no other answer through.
    private var unexpected: AgentError { .brokenProtocol(.unexpected(.done), .sent) }
}
