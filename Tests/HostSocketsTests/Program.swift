import CSockets
import Glibc
import TestSupport

/// A program of the host at one end of a connection. It never waits without a limit.
final class Program {
    private var descriptor: Int32

    /// Connects to a listening socket.
    init?(connectingTo path: String) {
        descriptor = aerie_stream_connect(path)
        if descriptor < 0 { return nil }
    }

    /// Accepts a connection of a listening socket.
    init?(accepting listener: Int32) {
        var accepted: Int32 = -1
        guard
            Patience.wait(until: {
                accepted = aerie_stream_accept(listener)
                return accepted >= 0
            })
        else { return nil }
        descriptor = accepted
    }

    deinit { end() }

    func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    /// Reads so many bytes, or fewer before the end.
    func read(_ count: Int) -> [UInt8] {
        var result: [UInt8] = []
        _ = Patience.wait(until: {
            var buffer = [UInt8](repeating: 0, count: count - result.count)
            let got = recv(self.descriptor, &buffer, buffer.count, 0)
            if got > 0 { result += buffer[..<got] }
            return result.count == count || got == 0 || got < 0 && errno != EAGAIN
        })
        return result
    }

    func readText(_ count: Int) -> String { String(decoding: read(count), as: UTF8.self) }

    /// Whether the other end has ended its direction.
    var isAtEnd: Bool { read(1).isEmpty }

    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    func end() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }
}
