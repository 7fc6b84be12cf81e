package import AgentProtocol
internal import CSockets
internal import Glibc
internal import HostSystem

/// A socket in a guest that leads to one socket of this host, such as that of the user's SSH agent.
///
/// The guest's agent makes the socket and names each connection to it. This side answers with a connection of its own, so that a program of
/// the guest reaches nothing but the one socket. It lasts until `end`, until this process ends, or the connection to the agent.
package final class SocketForwarding: Sendable {
    /// The most connections at the same time; the agent drops others.
    private static let mostConnections = 16
    /// Seconds for the guest's agent to make the socket.
    private static let answerLimit: UInt64 = 30

    /// A descriptor of our own for the connection that keeps the socket; -1 for none.
    private let listening = Monitor<Int32>(-1)

    deinit { release { _ in } }

    /// Removes the socket in the guest. Connections that are open last until one of their sides ends them.
    package func end() { release { shutdown($0, Int32(SHUT_RDWR)) } }

    private func release(_ body: (Int32) -> Void) {
        listening.withLock { descriptor in
            guard descriptor >= 0 else { return }
            body(descriptor)
            close(descriptor)
            descriptor = -1
        }
    }

    /// Makes the socket, and returns when programs of the guest can connect to it.
    ///
    /// - Parameters:
    ///   - request: the socket in the guest.
    ///   - path: the socket of this host.
    ///   - connector: for connections to the socket.
    ///   - listener: for the connection that keeps the socket.
    package static func begin(
        _ request: ListenRequest, to path: String, through connector: any AgentConnector,
        listener: any AgentConnector, wait: AgentWait
    ) throws(AgentError) -> SocketForwarding {
        let forwarding = SocketForwarding()
        let result = Monitor<Result<Void, AgentError>?>(nil)
        let thread: HostThread
        do throws(SystemError) {
            thread = try HostThread(name: "forwarding") {
                do throws(AgentError) {
                    var connection = try wait.connect(listener)
                    do throws(SystemError) {
                        let copy = try connection.descriptor.duplicate().release()
                        forwarding.listening.withLock { $0 = copy }
                    } catch { throw AgentError.system(error) }
                    try serve(request, to: path, on: &connection, through: connector) {
                        result.update { $0 = .success(()) }
                    }
                } catch {
                    // After the beginning, the command's own connection tells of the loss.
                    result.update { if $0 == nil { $0 = .failure(error) } }
                }
            }
        } catch { throw .system(error) }
        _ = thread
        // Without a deadline the wait ends with a result only, and `serve` has deadlines.
        if case .failure(let error) = result.wait({ $0 }) { throw error }
        return forwarding
    }

    private static func serve(
        _ request: ListenRequest, to path: String, on connection: inout AgentConnection,
        through connector: any AgentConnector, _ hasBegun: () -> Void
    ) throws(AgentError) {
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
        // The relay has the descriptor's number only.
        _ = consume socket
    }
}
