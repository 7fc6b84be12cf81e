package import AgentClient
internal import AgentProtocol
internal import Glibc
internal import HostSystem

/// The way to the agent in a guest, through which commands run and files are copied.
public struct GuestAgent: Sendable {
    /// How long a call waits for an agent that does not listen yet, as while the guest boots: 0 (one attempt) to 86,400 seconds.
    public var patience = Duration.seconds(60)

    /// The machine's name, for errors.
    let name: String
    let connector: any AgentConnector

    package init(_ connector: any AgentConnector, name: String) {
        self.connector = connector
        self.name = name
    }

    var wait: AgentWait { AgentWait(limit: UInt64(max(patience.components.seconds, 0))) }

    /// Waits until the guest's init has done its work: network, shared folders and services are there.
    ///
    /// - Parameter limit: the time that the guest has to boot.
    /// - Throws: `connectionLost` when the machine ends first, or the limit passes; `cancelled`.
    public func waitUntilReady(within limit: Duration = .seconds(60)) async throws(AerieError) {
        let deadline = HostClock.monotonic() &+ limit.nanoseconds
        let asked = "machine '\(name)'"
        while true {
            var agent = self
            agent.patience = .nanoseconds(Int64(clamping: deadline &- min(deadline, HostClock.monotonic())))
            if try await agent.status(of: GuestBootWords.mark) { return }
            guard HostClock.monotonic() < deadline else {
                throw AerieError(
                    .connectionLost, asked: asked, found: "the guest has not come up within \(limit)",
                    advice: "look at its console")
            }
            do { try await Task.sleep(for: .milliseconds(20)) } catch { throw AerieError.cancelled(asked) }
        }
    }

    /// The addresses of the guest's network interfaces, without the loopback's. A guest has at most 256.
    ///
    /// - Throws: `connectionLost` when the agent does not answer, and `cancelled`.
    public var addresses: [GuestAddress] {
        get async throws(AerieError) {
            try await call("the addresses of machine '\(name)'") { (client) throws(AgentError) in
                try client.guestAddresses()
            }
        }
    }

    /// Whether there is something at a path of the guest.
    private func status(of path: String) async throws(AerieError) -> Bool {
        try await call("machine '\(name)'") { (client) throws(AgentError) in
            try client.status(of: Array(path.utf8), followsLinks: true) != nil
        }
    }

    /// Calls `body` on a thread of its own. A task that is cancelled does not wait for it.
    func call<Value: Sendable>(
        _ asked: String, _ body: @escaping @Sendable (AgentClient) throws(AgentError) -> Value
    ) async throws(AerieError) -> Value {
        let completion = Completion<Value>()
        let connector = CancellableConnector(connector)
        let client = AgentClient(connector, wait: wait, answerLimit: 60)
        do throws(SystemError) {
            _ = try HostThread(name: "agent-call") {
                do throws(AgentError) {
                    completion.resolve(.success(try body(client)))
                } catch {
                    completion.resolve(.failure(AerieError(asked: asked, error)))
                }
            }
        } catch { throw AerieError(opening: asked, error) }
        do throws(AerieError) {
            return try await completion.value(asked)
        } catch {
            connector.cancel()
            throw error
        }
    }
}

extension AgentClient {
    /// The addresses that the agent reports. A text that is not an address is left out.
    package func guestAddresses() throws(AgentError) -> [GuestAddress] {
        try information().addresses.compactMap { GuestAddress($0) }
    }
}
