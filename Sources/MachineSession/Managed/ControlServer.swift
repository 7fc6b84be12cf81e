internal import Aerie
internal import CSockets
internal import ControlAPI
internal import Glibc
internal import HostSystem

/// Serves the control socket of a machine: a thread for each connection, because requests may wait for the machine.
final class ControlServer: Sendable {
    /// The most connections; more are closed at once.
    private static let mostConnections = 64
    /// How long the end of the machine waits for answers and output to be sent, in nanoseconds.
    private static let lastAnswers: UInt64 = 1_000_000_000

    struct Outcome: Sendable {
        let code: Int32
        let error: AerieError?
        /// Nil for a machine that did not start.
        let kind: EndKind?
    }

    private struct State {
        var connections: [Int: Int32] = [:]
        var lastConnection = 0
        /// Connections that wait for the machine's end, and attached programs.
        var waiters = 0
        /// The connection over which the machine is saved or handed over, until it lets the machine go on, or ends.
        var owner: ObjectIdentifier?
        var outcome: Outcome?
        var isOver = false
    }

    let machine: VirtualMachine
    let hub: ConsoleHub
    let stopper: GuestStopper
    private let listener: Int32
    private let state = Monitor(State())
    private let source = Monitor<EventSource?>(nil)

    init(listener: Int32, machine: VirtualMachine, hub: ConsoleHub, stopper: GuestStopper) {
        self.listener = listener
        self.machine = machine
        self.hub = hub
        self.stopper = stopper
    }

    /// Begins to accept connections, those that wait already included.
    func start(on loop: EventLoop) throws(SystemError) {
        let made = try loop.watch(listener, for: .readable) { [weak self] _ in self?.acceptAll() }
        source.withLock { $0 = made }
    }

    /// The machine has ended: answers whoever waits for that, and ends all connections.
    func finish(_ outcome: Outcome) {
        let source = source.withLock { source in
            defer { source = nil }
            return source
        }
        source?.cancel()
        state.update { $0.outcome = outcome }
        // Attached programs get what the guest wrote last.
        hub.end()
        let deadline = HostClock.monotonic() &+ Self.lastAnswers
        _ = state.wait(until: deadline) { $0.waiters == 0 ? () : nil }
        state.update { state in
            state.isOver = true
            for descriptor in state.connections.values { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
        _ = state.wait(until: HostClock.monotonic() &+ Self.lastAnswers) { $0.connections.isEmpty ? () : nil }
    }

    // MARK: Ownership

    /// From now on, only this connection lets the machine go on: what is saved must not change, and a machine that was handed over may run
    /// elsewhere.
    ///
    /// - Throws: `unavailable` when another connection does the same.
    func own(_ connection: ControlConnection, for purpose: String) throws(AerieError) {
        let owner = state.withLock { state in
            if state.owner == nil { state.owner = ObjectIdentifier(connection) }
            return state.owner
        }
        try Self.check(connection, isOwner: owner, for: purpose)
    }

    func disown(_ connection: ControlConnection) {
        state.withLock { state in
            if state.owner == ObjectIdentifier(connection) { state.owner = nil }
        }
    }

    /// - Throws: `unavailable` while another connection saves the machine or hands it over.
    func requireOwner(_ connection: ControlConnection, for purpose: String) throws(AerieError) {
        try Self.check(connection, isOwner: state.withLock { $0.owner }, for: purpose)
    }

    private static func check(
        _ connection: ControlConnection, isOwner owner: ObjectIdentifier?, for purpose: String
    ) throws(AerieError) {
        guard let owner, owner != ObjectIdentifier(connection) else { return }
        throw AerieError(
            .unavailable, asked: purpose, found: "it is being saved, or handed over to another host",
            advice: "wait for the end of that")
    }

    /// Waits for the machine's end; nil when the connection's other side went away before.
    func waitForEnd() -> Outcome? {
        beginWait()
        return state.wait { state in state.outcome }
    }

    /// The end of the machine waits for an answer, until `endWait`.
    func beginWait() { state.update { $0.waiters += 1 } }

    /// The answer was sent.
    func endWait() { state.update { $0.waiters -= 1 } }

    private func acceptAll() {
        while true {
            let descriptor = aerie_stream_accept(listener)
            if descriptor < 0 {
                if errno == EINTR || errno == ECONNABORTED { continue }
                return
            }
            add(FileDescriptor(owning: descriptor))
        }
    }

    private func add(_ socket: consuming FileDescriptor) {
        let descriptor = socket.rawValue
        let number = state.update { state -> Int? in
            guard !state.isOver, state.connections.count < Self.mostConnections else { return nil }
            state.lastConnection += 1
            state.connections[state.lastConnection] = descriptor
            return state.lastConnection
        }
        guard let number else { return }
        let connection = ControlConnection(owning: socket, server: self)
        do throws(SystemError) {
            _ = try HostThread(name: "control-client") { [self] in
                connection.serve()
                // Off the list before it is closed, so that nobody shuts another descriptor of this number down.
                state.update { $0.connections[number] = nil }
                connection.close()
            }
        } catch {
            state.update { $0.connections[number] = nil }
            connection.close()
        }
    }
}
