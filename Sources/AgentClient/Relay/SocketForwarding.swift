package import AgentProtocol
internal import CSockets
internal import HostSystem

/// A socket in a guest that leads to one socket of this host, such as that of the user's SSH agent.
///
/// The guest's agent makes the socket and names each connection to it. This side answers with a connection of its own, so that a program of
/// the guest reaches nothing but the one socket. It lasts until this process ends, or the connection to the agent.
package enum SocketForwarding {
    /// The most connections at the same time; the agent drops others.
    private static let mostConnections = 16
    /// Seconds for the guest's agent to make the socket.
    private static let answerLimit: UInt64 = 30

    /// Makes the socket, and returns when programs of the guest can connect to it.
    ///
    /// - Parameters:
    ///   - request: the socket in the guest.
    ///   - path: the socket of this host.
    package static func begin(
        _ request: ListenRequest, to path: String, through connector: any AgentConnector, wait: AgentWait
    ) throws(AgentError) {
        let result = Monitor<Result<Void, AgentError>?>(nil)
        let thread: HostThread
        do throws(SystemError) {
            thread = try HostThread(name: "forwarding") {
                do throws(AgentError) {
                    try serve(request, to: path, through: connector, wait: wait) { result.update { $0 = .success(()) } }
                } catch {
                    // After the beginning, the command's own connection tells of the loss.
                    result.update { if $0 == nil { $0 = .failure(error) } }
                }
            }
        } catch { throw .system(error) }
        _ = thread
        // Without a deadline the wait ends with a result only, and `serve` has deadlines.
        guard case .failure(let error) = result.wait({ $0 }) else { return }
        throw error
    }

    private static func serve(
        _ request: ListenRequest, to path: String, through connector: any AgentConnector, wait: AgentWait,
        _ hasBegun: () -> Void
    ) throws(AgentError) {
        var connection = try wait.connect(connector)
        try connection.request(.listen(request), .listen)
        let deadline = HostClock.monotonic() &+ answerLimit &* 1_000_000_000
        switch try connection.wait(by: deadline) {
        case .done: hasBegun()
        case .refused(let failure): throw .refused(failure)
        default: throw .noAnswer(seconds: answerLimit)
        }
        let open = Monitor(0)
        let client = AgentClient(connector, wait: AgentWait(limit: 0), answerLimit: answerLimit)
        while case .arrived(let number)? = try connection.wait() {
            let isFree = open.withLock { open in
                guard open < mostConnections else { return false }
                open += 1
                return true
            }
            guard isFree else { continue }
            let thread = try? HostThread(name: "forwarded") {
                relay(number, to: path, client)
                open.withLock { $0 -= 1 }
            }
            if thread == nil { open.withLock { $0 -= 1 } }
        }
    }

    /// Carries the bytes of one connection until it ends.
    private static func relay(_ number: UInt32, to path: String, _ client: AgentClient) {
        // Taken over first: where this host's socket does not answer, the program in the guest sees an end.
        guard let connection = try? client.forward(.arrived(number)) else { return }
        let descriptor = aerie_stream_connect(path)
        guard descriptor >= 0 else { return }
        let socket = FileDescriptor(owning: descriptor)
        var relay = RawRelay(connection, input: socket.rawValue, output: socket.rawValue)
        try? relay.run()
    }
}
