internal import AgentClient
internal import AgentProtocol
internal import CLinux
internal import Glibc
internal import HostSystem

/// A command's connection to the agent, on a thread of its own.
///
/// The thread waits for the connection and for `wake` at once. It never waits for a task: an output whose reader lags behind stops reading the
/// connection, and with it the command.
final class CommandDriver: Sendable {
    /// Bytes of an output that wait for its reader.
    private static let outputLimit = 256 << 10
    /// Bytes of input that wait for the agent's credit.
    private static let inputLimit = 64 << 10
    /// Signals that wait for an agent that does not read.
    private static let signalLimit = 64

    struct Orders {
        var isCancelled = false
        /// The agent is greeted: the relay carries a cancellation out.
        var isRelaying = false
        var signals: [UInt32] = []
        /// Another size of the window, which has not been sent.
        var size: TerminalSize?
    }

    let command: GuestCommand
    let hasInput: Bool
    /// The request, for errors.
    let asked: String
    let output: BytePipe
    let error: BytePipe
    let input: BytePipe
    let started = Completion<Void>()
    let ended = Completion<CommandStatus>()
    let wake: WakeEvent
    private let connector: CancellableConnector
    private let orders = Monitor(Orders())

    /// Starts the thread.
    init(_ command: GuestCommand, hasInput: Bool, agent: GuestAgent) throws(AerieError) {
        self.command = command
        self.hasInput = hasInput
        asked = "running '\(command.arguments.first ?? "")' in machine '\(agent.name)'"
        connector = CancellableConnector(agent.connector)
        let wake = try WakeEvent()
        self.wake = wake
        output = BytePipe(limit: Self.outputLimit, onRoom: { wake.signal() })
        error = BytePipe(limit: Self.outputLimit, onRoom: { wake.signal() })
        input = BytePipe(limit: Self.inputLimit, onBytes: { wake.signal() })
        do throws(SystemError) {
            _ = try HostThread(name: "guest-command") { [self] in run(agent) }
        } catch { throw AerieError(opening: asked, error) }
    }

    func requireInput() throws(AerieError) {
        guard !hasInput else { return }
        throw AerieError(
            .usage, asked: asked, found: "it was started without an input", advice: "start it with hasInput: true")
    }

    /// Kills the command; who waits for it does not wait any more.
    func cancel() {
        let isRelaying = orders.withLock { orders in
            orders.isCancelled = true
            return orders.isRelaying
        }
        if !isRelaying { connector.cancel() }
        conclude(.failure(AerieError.cancelled(asked)))
        output.close()
        error.close()
        wake.signal()
    }

    var isCancelled: Bool { orders.withLock { $0.isCancelled } }

    func signal(_ number: UInt32) {
        orders.withLock { if $0.signals.count < Self.signalLimit { $0.signals.append(number) } }
        wake.signal()
    }

    /// The signals that have not been sent.
    func takeSignals() -> [UInt32] {
        orders.withLock { orders in
            defer { orders.signals = [] }
            return orders.signals
        }
    }

    func resize(to size: TerminalSize) {
        orders.withLock { $0.size = size }
        wake.signal()
    }

    /// The size of the window, if it has changed and has not been sent.
    func takeSize() -> TerminalSize? {
        orders.withLock { orders in
            defer { orders.size = nil }
            return orders.size
        }
    }

    private func run(_ agent: GuestAgent) {
        do throws(AerieError) {
            conclude(.success(try relay(agent)))
        } catch {
            conclude(.failure(error))
        }
    }

    private func relay(_ agent: GuestAgent) throws(AerieError) -> CommandStatus {
        let sshAgent = try command.sshAgent.map { path throws(AerieError) in
            try SSHAgentForwarding(path: path, asked: asked)
        }
        var request = command.request
        request.hasInput = hasInput
        do throws(AgentError) {
            let forwarding = try sshAgent?.begin(
                for: &request, through: agent.connector, listener: connector, wait: agent.wait)
            defer { forwarding?.end() }
            let connection = try agent.wait.connect(connector)
            // From here on, the connection ends with the relay.
            connector.release()
            orders.withLock { $0.isRelaying = true }
            var relay = GuestCommandRelay(self, connection)
            return try relay.run(request)
        } catch { throw AerieError(asked: asked, error, runsCommand: true) }
    }

    /// Tells the result to everybody; the first one counts.
    private func conclude(_ result: Result<CommandStatus, AerieError>) {
        var failure: AerieError?
        if case .failure(let error) = result { failure = error }
        started.resolve(failure.map { .failure($0) } ?? .success(()))
        output.finish(failure)
        error.finish(failure)
        input.close()
        ended.resolve(result)
    }
}

/// An eventfd(2) that ends another thread's poll.
final class WakeEvent: Sendable {
    private let event: FileDescriptor

    init() throws(AerieError) {
        do throws(SystemError) {
            event = FileDescriptor(owning: try checked("eventfd") { aerie_eventfd() })
        } catch { throw AerieError(opening: "an event", error) }
    }

    /// Readable after `signal`.
    var descriptor: Int32 { event.rawValue }

    func signal() {
        var one: UInt64 = 1
        _ = withUnsafeBytes(of: &one) { write(event.rawValue, $0.baseAddress!, 8) }
    }

    /// Takes the signals until now.
    func drain() {
        var count: UInt64 = 0
        _ = withUnsafeMutableBytes(of: &count) { read(event.rawValue, $0.baseAddress!, 8) }
    }
}
