internal import CSockets
internal import Glibc

/// A machine's socket in front of an agent that runs on this host (`aerie-agent --socket PATH`): it answers the client's first line and
/// passes all bytes on.
package final class AgentBridge: Sendable {
    private let server: AgentServer

    /// - Parameters:
    ///   - path: of the machine's socket.
    ///   - agent: the path of the agent's socket.
    package init(_ path: String, to agent: String) throws {
        server = try AgentServer(path) { peer in
            let other = aerie_stream_connect(agent)
            guard other >= 0 else { return }
            _ = fcntl(other, F_SETFL, 0)
            let client = peer.descriptor
            let back = dup(other)
            let forth = dup(client)
            startThread {
                Self.pass(back, forth)
                close(back)
                close(forth)
            }
            Self.pass(client, other)
            close(other)
        }
    }

    package func stop() { server.stop() }

    /// Passes bytes on until one side ends, and then the end.
    private static func pass(_ from: Int32, _ to: Int32) {
        var chunk = [UInt8](repeating: 0, count: 1 << 17)
        while case let count = recv(from, &chunk, chunk.count, 0), count > 0 {
            var done = 0
            while done < count {
                let sent = chunk.withUnsafeBytes {
                    send(to, $0.baseAddress! + done, count - done, Int32(MSG_NOSIGNAL))
                }
                if sent <= 0 {
                    shutdown(from, Int32(SHUT_RD))
                    return
                }
                done += sent
            }
        }
        shutdown(to, Int32(SHUT_WR))
    }
}
