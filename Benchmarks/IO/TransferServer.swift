import Foundation

/// A TCP server of the host that sends zeroes, or takes what comes, until the other end closes.
final class TransferServer: Sendable {
    let port: UInt16
    private let descriptor: Int32

    /// - Parameter host: the IPv4 address of the host where it listens, in words.
    init(at host: String, sends: Bool) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr = in_addr(s_addr: inet_addr(host))
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && listen(descriptor, 4) == 0 ? getsockname(descriptor, $0, &size) : -1
            }
        }
        guard code == 0 else { throw BenchmarkError("a TCP server: \(String(cString: strerror(errno)))") }
        self.descriptor = descriptor
        port = UInt16(bigEndian: address.sin_port)
        Thread { Self.serve(descriptor, sends: sends) }.start()
    }

    private static func serve(_ descriptor: Int32, sends: Bool) {
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let connection = accept(descriptor, nil, nil)
            guard connection != -1 else { return }
            while true {
                let count =
                    sends
                    ? send(connection, buffer, buffer.count, Int32(MSG_NOSIGNAL))
                    : recv(connection, &buffer, buffer.count, 0)
                if count <= 0 { break }
            }
            close(connection)
        }
    }

    func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}
