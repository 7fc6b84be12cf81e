import Foundation

/// A TCP server on the host's loopback that sends zeroes, or takes what comes, until the other end closes.
final class TransferServer: Sendable {
    let port: UInt16
    private let descriptor: Int32

    init(sends: Bool) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 && listen(descriptor, 4) == 0 ? getsockname(descriptor, $0, &size) : -1
            }
        }
        guard code == 0 else { throw BenchmarkError("a server on loopback: \(String(cString: strerror(errno)))") }
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
