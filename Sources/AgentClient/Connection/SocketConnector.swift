internal import AgentProtocol
internal import CSockets
internal import Glibc
package import HostSystem

/// Connects to the agent through the socket of Unix that leads to a machine's vsock ports.
///
/// The machine's process reads `CONNECT 1023\n`. It answers `OK N\n` when the agent accepts, and closes the connection when nobody in the
/// guest listens.
package struct SocketConnector: AgentConnector {
    /// Names of sockets have so many bytes at most (`sun_path`, less the final zero byte).
    private static let longestName = 107
    /// `OK 4294967295\n` and room for more.
    private static let longestAnswer = 32

    package let path: String

    package init(path: String) {
        self.path = path
    }

    package func connect(greeting: [UInt8], by deadline: UInt64) throws(ConnectFailure) -> FileDescriptor {
        let socket = try open()
        let request = Array("CONNECT \(AgentLimits.port)\n".utf8) + greeting
        let sent = request.withUnsafeBytes { send(socket.rawValue, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        // A new connection has room for that, unless its machine has just ended.
        guard sent == request.count else { throw .notYet }
        try readAnswer(socket.rawValue, by: deadline)
        return socket
    }

    private func open() throws(ConnectFailure) -> FileDescriptor {
        do throws(SystemError) {
            return try connectByName()
        } catch {
            switch error.code {
            // The queue of the machine's process is full.
            case EAGAIN: throw .notYet
            case ENOENT, ECONNREFUSED, ENOTDIR, ENOTSOCK:
                throw .noMachine("no machine listens at \(path) (\(error.reason))")
            default: throw .system(error)
            }
        }
    }

    /// Connects by a short name: that of the directory's descriptor stands for a long path.
    private func connectByName() throws(SystemError) -> FileDescriptor {
        if path.utf8.count <= Self.longestName {
            return FileDescriptor(owning: try checked("connect \(path)") { aerie_stream_connect(path) })
        }
        let parts = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let name = String(decoding: parts[parts.count - 1], as: UTF8.self)
        let parent = String(decoding: path.utf8.dropLast(name.utf8.count), as: UTF8.self)
        let directory = try FileDescriptor(path: parent.isEmpty ? "." : parent, flags: O_DIRECTORY | O_RDONLY)
        let short = "/proc/self/fd/\(directory.rawValue)/\(name)"
        return FileDescriptor(owning: try checked("connect \(path)") { aerie_stream_connect(short) })
    }

    /// Reads the line, and no more: what follows belongs to the session.
    private func readAnswer(_ socket: Int32, by deadline: UInt64) throws(ConnectFailure) {
        var answer: [UInt8] = []
        while answer.last != UInt8(ascii: "\n") {
            guard answer.count < Self.longestAnswer else { throw .noMachine("\(path) is not the socket of a machine") }
            guard Waiting.wait(socket, Int16(POLLIN), by: deadline) else { throw .notYet }
            guard let part = Self.readLine(socket, most: Self.longestAnswer - answer.count) else { throw .notYet }
            answer += part
        }
        guard answer.starts(with: Array("OK ".utf8)) else { throw .noMachine("\(path) is not the socket of a machine") }
    }

    /// What there is up to the end of a line; nil at the end of the connection.
    private static func readLine(_ socket: Int32, most: Int) -> [UInt8]? {
        withUnsafeTemporaryAllocation(byteCount: most, alignment: 1) { buffer in
            let seen = recv(socket, buffer.baseAddress, most, Int32(MSG_PEEK))
            guard seen > 0 else { return seen < 0 && (errno == EAGAIN || errno == EINTR) ? [] : nil }
            let length = buffer[..<seen].firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? seen
            guard recv(socket, buffer.baseAddress, length, 0) == length else { return nil }
            return Array(buffer[..<length])
        }
    }
}
