internal import AgentProtocol
internal import HostSystem

/// How long a client waits for an agent that does not listen yet, as while the guest boots.
package struct AgentWait: Sendable {
    /// From the first attempt to connect, in seconds.
    package static let usualLimit: UInt64 = 60
    /// Nanoseconds between two attempts: at first, and at most.
    private static let pauses: (first: UInt64, longest: UInt64) = (1_000_000, 10_000_000)

    /// In seconds, from 0 (one attempt) to 86400.
    package let limit: UInt64
    /// Whether the wait has no sense any more, in addition to what the connector knows.
    package let hasEnded: @Sendable () -> Bool

    package init(limit: UInt64 = Self.usualLimit, hasEnded: @escaping @Sendable () -> Bool = { false }) {
        self.limit = min(limit, 86_400)
        self.hasEnded = hasEnded
    }

    /// Connects and greets the agent, and tries again until it listens.
    package func connect(_ connector: any AgentConnector) throws(AgentError) -> AgentConnection {
        // An attempt has a second where the caller gives no time.
        let deadline = HostClock.monotonic() &+ max(limit, 1) &* 1_000_000_000
        var pause = Self.pauses.first
        while true {
            if let stream = try attempt(connector, by: deadline) {
                var connection = AgentConnection(stream)
                if try Self.awaitGreeting(&connection, by: deadline, limit: limit) { return connection }
            }
            if hasEnded() || connector.hasEnded { throw .machineEnded }
            guard limit > 0, HostClock.monotonic() < deadline else { throw .notListening(seconds: limit) }
            Waiting.pause(pause, by: deadline)
            pause = min(pause * 2, Self.pauses.longest)
        }
    }

    /// - Returns: nil when the agent does not listen yet.
    private func attempt(_ connector: any AgentConnector, by deadline: UInt64) throws(AgentError) -> FileDescriptor? {
        do throws(ConnectFailure) {
            return try connector.connect(greeting: Self.greeting, by: deadline)
        } catch {
            switch error {
            case .noMachine(let reason): throw hasEnded() || connector.hasEnded ? .machineEnded : .noMachine(reason)
            case .system(let error): throw .system(error)
            case .notYet: return nil
            }
        }
    }

    /// HELLO, which goes with the request for a connection.
    private static var greeting: [UInt8] {
        var bytes: [UInt8] = []
        ClientMessage.hello(version: AgentLimits.version).frame?.append(to: &bytes)
        return bytes
    }

    /// Waits for the agent's HELLO. A request goes out after that, so that an agent of another version never sees one.
    ///
    /// - Returns: false when the connection ended first, as when the guest's agent starts again just then.
    private static func awaitGreeting(
        _ connection: inout AgentConnection, by deadline: UInt64, limit: UInt64
    ) throws(AgentError) -> Bool {
        do throws(AgentError) {
            switch try connection.wait(by: deadline) {
            case .greeted: return true
            case .refused(let failure): throw .refused(failure)
            default: throw .noAnswer(seconds: limit)
            }
        } catch .lost {
            return false
        }
    }
}
