package import AgentProtocol
internal import AgentTestSupport
internal import Glibc

/// The agent's end of a connection in tests: a script speaks the protocol with it, rightly or wrongly. Its calls wait for the client.
package final class AgentPeer: @unchecked Sendable {
    // @unchecked: one thread, that of the script, uses it.

    package let descriptor: Int32
    private var decoder = FrameDecoder()
    private var hasEnded = false

    /// - Parameter descriptor: owned from now on.
    package init(owning descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFL, 0)
    }

    deinit { close(descriptor) }

    /// Answers the client's first line as a machine's process does.
    package func acceptConnection() {
        var line: [UInt8] = []
        while line.last != 0x0A, line.count < 64 {
            var byte: UInt8 = 0
            guard recv(descriptor, &byte, 1, 0) == 1 else { return }
            line.append(byte)
        }
        send(raw: Array("OK 4711\n".utf8))
    }

    /// Exchanges HELLO and returns the request; nil when the client sends something else or ends.
    package func greet(version: UInt32 = AgentLimits.version) -> AgentRequest? {
        guard case .hello = next() else { return nil }
        send(.hello(version: version, bootID: [UInt8](repeating: 7, count: 16)))
        guard case .request(let request) = next() else { return nil }
        return request
    }

    /// The client's next message; nil at its end, and when it breaks the protocol.
    package func next() -> ClientMessage? {
        while true {
            guard let frame = try? decoder.next() else {
                guard receive() else { return nil }
                continue
            }
            return try? ClientMessage(frame)
        }
    }

    private func receive() -> Bool {
        var chunk = [UInt8](repeating: 0, count: 1 << 17)
        let count = recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { return false }
        chunk.withUnsafeBytes { decoder.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        return true
    }

    package func send(_ message: AgentMessage) {
        var bytes: [UInt8] = []
        message.frame.append(to: &bytes)
        send(raw: bytes)
    }

    /// False when the client takes no more.
    @discardableResult
    package func send(raw bytes: [UInt8]) -> Bool {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            done += count
        }
        return true
    }

    /// Bytes of a raw connection; none at its end.
    package func readRaw(_ most: Int) -> [UInt8] {
        let rest = decoder.takeRest()
        if !rest.isEmpty { return rest }
        var chunk = [UInt8](repeating: 0, count: most)
        let count = recv(descriptor, &chunk, most, 0)
        return Array(chunk.prefix(max(count, 0)))
    }

    package func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }
}
