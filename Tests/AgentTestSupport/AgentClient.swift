package import AgentProtocol
internal import Glibc

/// A client of the guest agent's protocol for tests: it blocks, and nothing waits longer than five minutes.
package final class AgentClient {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        package init(description: String) { self.description = description }
    }

    /// What a command left behind.
    package struct Execution: Equatable {
        package var output: [UInt8] = []
        package var error: [UInt8] = []
        package var end: CommandEnd?
        package var failure: AgentFailure?
        /// The streams whose END came.
        package var ended: Set<UInt8> = []

        package var text: String { String(decoding: output, as: UTF8.self) }
        package var errorText: String { String(decoding: error, as: UTF8.self) }
    }

    package let descriptor: Int32
    private var decoder = FrameDecoder()
    private var buffer = [UInt8](repeating: 0, count: 65_544)
    /// Bytes of standard input that may be sent.
    package private(set) var credit = 0

    /// - Parameter guestPort: the vsock port to ask for, where the socket is a machine's and not the agent's own.
    package init(_ path: String, guestPort: UInt32? = nil) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: 300, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw Failure(description: "connect: \(String(cString: strerror(errno)))") }
        guard let guestPort else { return }
        try send(raw: Array("CONNECT \(guestPort)\n".utf8))
        var line: [UInt8] = []
        while line.last != 0x0a {
            var byte: UInt8 = 0
            guard retried({ recv(descriptor, &byte, 1, 0) }) == 1 else {
                throw Failure(description: "the guest does not listen")
            }
            line.append(byte)
        }
    }

    deinit { close(descriptor) }

    /// A signal of the process interrupts a call on a socket with a time limit, whatever its handler's flags (signal(7)).
    private func retried(_ call: () -> Int) -> Int {
        while true {
            let result = call()
            if result >= 0 || errno != EINTR { return result }
        }
    }

    package func send(raw bytes: [UInt8]) throws {
        var position = 0
        while position < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                retried {
                    Glibc.send(descriptor, bytes.baseAddress! + position, bytes.count - position, Int32(MSG_NOSIGNAL))
                }
            }
            guard count > 0 else { throw Failure(description: "send: \(String(cString: strerror(errno)))") }
            position += count
        }
    }

    package func send(_ message: ClientMessage) throws {
        guard let frame = message.frame else { throw Failure(description: "the message is too large") }
        var bytes: [UInt8] = []
        frame.append(to: &bytes)
        try send(raw: bytes)
    }

    /// The agent's next message, or nil at the end of the connection.
    package func next() throws -> AgentMessage? {
        while true {
            if let frame = try decoder.next() {
                let message = try AgentMessage(frame)
                if case .credit(let bytes) = message { credit += Int(bytes) }
                return message
            }
            let count = retried { recv(descriptor, &buffer, buffer.count, 0) }
            if count < 0, errno == ECONNRESET { return nil }
            guard count >= 0 else { throw Failure(description: "recv: \(String(cString: strerror(errno)))") }
            if count == 0 { return nil }
            buffer.withUnsafeBytes { decoder.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
    }

    /// Bytes of a raw stream, for a connection that FORWARD made one: as many as asked for, or fewer before the end.
    package func readRaw(_ count: Int) -> [UInt8] {
        var bytes = decoder.takeRest()
        while bytes.count < count {
            let got = retried { recv(descriptor, &buffer, min(buffer.count, count - bytes.count), 0) }
            guard got > 0 else { break }
            bytes += buffer[..<got]
        }
        return bytes
    }

    package func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// HELLO, and the request.
    package func begin(_ request: AgentRequest) throws {
        try send(.hello(version: AgentLimits.version))
        guard case .hello(AgentLimits.version, _)? = try next() else { throw Failure(description: "no HELLO") }
        try send(.request(request))
    }

    /// The answer to a request that has one message of it.
    package func answer(_ request: AgentRequest) throws -> AgentMessage? {
        try begin(request)
        return try next()
    }

    /// Sends bytes within the credit and then END; what the agent says meanwhile goes to `take`, which returns whether
    /// to go on.
    package func send(_ input: [UInt8], _ take: (AgentMessage) throws -> Bool) throws {
        var position = 0
        var hasEnded = false
        while let message = try next() {
            guard try take(message) else { return }
            while credit > 0, position < input.count {
                let count = min(credit, AgentLimits.data, input.count - position)
                try send(.data(Array(input[position..<(position + count)])))
                position += count
                credit -= count
            }
            if position == input.count, !hasEnded, case .credit = message {
                try send(.end)
                hasEnded = true
            }
        }
        throw Failure(description: "the connection was lost")
    }

    /// Runs a command to its end.
    package func execute(_ request: ExecuteRequest, input: [UInt8]? = nil) throws -> Execution {
        var request = request
        request.hasInput = input != nil
        try begin(.execute(request))
        var result = Execution()
        try send(input ?? []) { message in
            switch message {
            case .data(stream: 1, let bytes): result.output += bytes
            case .data(_, let bytes): result.error += bytes
            case .end(let stream): result.ended.insert(stream)
            case .exit(let end):
                result.end = end
                return false
            case .error(let failure):
                result.failure = failure
                return false
            default: break
            }
            return true
        }
        return result
    }
}

extension ExecuteRequest {
    package init(_ words: String...) { self.init(arguments: words.map { Array($0.utf8) }) }
}
