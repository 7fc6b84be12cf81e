internal import AgentClient
internal import AgentProtocol
internal import ArgumentParser

/// The place of the ssh server in a guest.
struct SSHTarget: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The port of the ssh server on the guest's loopback (default: 22).", valueName: "port"))
    var port: String?

    @Option(
        help: ArgumentHelp("The socket of the ssh server in the guest, instead of a port.", valueName: "path"))
    var socket: String?

    /// The options as words of a command line.
    var words: [String] {
        if let socket { return ["--socket", socket] }
        return port.map { ["--port", $0] } ?? []
    }

    func request() throws(AgentVerbError) -> ForwardRequest {
        if let socket {
            guard port == nil else {
                throw AgentVerbError(.usage, asked: "--socket", found: "--port is given, too", advice: "leave one out")
            }
            guard socket.hasPrefix("/"), socket.utf8.count <= ForwardRequest.longestPath else {
                throw AgentVerbError(
                    .usage, asked: "--socket", found: "'\(socket)' is not a valid path of a socket in a guest",
                    advice: "give one that begins with / and has at most \(ForwardRequest.longestPath) bytes")
            }
            return .unix(path: Array(socket.utf8))
        }
        guard let number = UInt16(port ?? "22"), number > 0 else {
            throw AgentVerbError(
                .usage, asked: "--port", found: "'\(port ?? "")' is not a valid port",
                advice: "give one from 1 to 65535")
        }
        return .tcp(address: nil, port: number)
    }
}
