internal import AgentClient
internal import AgentProtocol
internal import CSockets
internal import Glibc

/// `--ssh`: the user's SSH agent for one command in a guest.
struct SSHAgentForwarding {
    private static let variable = "SSH_AUTH_SOCK"
    /// Names of sockets have so many bytes at most (`sun_path`, less the final zero byte).
    private static let longestPath = 107

    /// The socket of the user's SSH agent.
    let path: String

    /// - Throws: a usage error where the user has no SSH agent.
    init() throws(AgentVerbError) {
        let asked = "--ssh"
        let advice = "start an agent with 'eval $(ssh-agent)' and add keys with ssh-add"
        guard let text = getenv(Self.variable).map({ String(cString: $0) }), !text.isEmpty else {
            throw AgentVerbError(.usage, asked: asked, found: "\(Self.variable) is not set", advice: advice)
        }
        guard text.utf8.count <= Self.longestPath else {
            throw AgentVerbError(
                .usage, asked: asked, found: "the path in \(Self.variable) has more than \(Self.longestPath) bytes",
                advice: "start the agent at another path with 'ssh-agent -a PATH'")
        }
        let descriptor = aerie_stream_connect(text)
        guard descriptor >= 0 else {
            let reason = String(cString: strerror(errno))
            throw AgentVerbError(
                .usage, asked: asked, found: "no SSH agent answers at \(text) (\(reason))", advice: advice)
        }
        close(descriptor)
        path = text
    }

    /// Makes the socket in the guest, and lets the command know it.
    func begin(for request: inout CommandRequest, through connector: any AgentConnector, wait: AgentWait)
        throws(AgentError)
    {
        let number = String(UInt64.random(in: 0 ... .max), radix: 36)
        let socket = "/run/aerie-ssh-\(number).sock"
        var listen = ListenRequest(path: Array(socket.utf8))
        listen.user = request.user.map { Array($0.utf8) }
        try SocketForwarding.begin(listen, to: path, through: connector, wait: wait)
        request.environment.append("\(Self.variable)=\(socket)")
    }
}
