package import Aerie
package import AgentClient
internal import AgentProtocol
internal import CSockets
internal import Glibc

/// The user's SSH agent for one command in a guest.
package struct SSHAgentForwarding: Sendable {
    /// The variable that names the socket of an SSH agent.
    package static let variable = "SSH_AUTH_SOCK"
    /// Names of sockets have so many bytes at most (`sun_path`, less the final zero byte).
    private static let longestPath = 107
    /// What a user without an SSH agent can do.
    package static let advice = "start an agent with 'eval $(ssh-agent)' and add keys with ssh-add"

    /// The socket of the user's SSH agent.
    private let path: String

    /// - Parameters:
    ///   - path: the socket of the user's SSH agent.
    ///   - asked: the request, for errors.
    /// - Throws: `usage` where no agent answers.
    package init(path: String, asked: String) throws(AerieError) {
        guard path.utf8.count <= Self.longestPath else {
            throw AerieError(
                .usage, asked: asked,
                found: "the path in \(Self.variable) has more than \(Self.longestPath) bytes",
                advice: "start the agent at another path with 'ssh-agent -a PATH'")
        }
        let descriptor = aerie_stream_connect(path)
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw AerieError(
                .usage, asked: asked, found: "no SSH agent answers at \(path) (\(reason))", advice: Self.advice)
        }
        close(descriptor)
        self.path = path
    }

    /// Makes the socket in the guest, and lets the command know it.
    ///
    /// - Parameters:
    ///   - connector: for connections to the socket.
    ///   - listener: for the connection that keeps the socket.
    package func begin(
        for request: inout CommandRequest, through connector: any AgentConnector, listener: any AgentConnector,
        wait: AgentWait
    ) throws(AgentError) -> SocketForwarding {
        let number = String(UInt64.random(in: 0 ... .max), radix: 36)
        let socket = "/run/aerie-ssh-\(number).sock"
        var listen = ListenRequest(path: Array(socket.utf8))
        listen.user = request.user.map { Array($0.utf8) }
        let forwarding = try SocketForwarding.begin(
            listen, to: path, through: connector, listener: listener, wait: wait)
        request.environment.append("\(Self.variable)=\(socket)")
        return forwarding
    }
}
