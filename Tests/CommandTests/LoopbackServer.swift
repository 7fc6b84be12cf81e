import Foundation
import Synchronization

/// A TCP server on the host's loopback interface that serves one connection after the other on a thread of its own.
final class LoopbackServer: Sendable {
    let port: UInt16
    private let descriptor: Int32
    private let count = Mutex(0)

    /// - Parameter serve: called with each connection's descriptor, which is closed afterwards.
    init(serve: @escaping @Sendable (Int32) -> Void) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.descriptor = descriptor
        port = try LoopbackPort.bind(descriptor)
        guard listen(descriptor, 16) == 0 else { throw POSIXError(.EINVAL) }
        Thread { [self] in
            while true {
                let connection = accept(descriptor, nil, nil)
                guard connection != -1 else { return }
                count.withLock { $0 += 1 }
                serve(connection)
                close(connection)
            }
        }.start()
    }

    /// Connections that were accepted.
    var connections: Int { count.withLock { $0 } }

    /// Lets the thread end.
    func stop() {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }
}

enum LoopbackPort {
    private static func address(_ port: UInt16) -> sockaddr_in {
        sockaddr_in(
            sin_family: sa_family_t(AF_INET), sin_port: port.bigEndian,
            sin_addr: in_addr(s_addr: UInt32(0x7F00_0001).bigEndian), sin_zero: (0, 0, 0, 0, 0, 0, 0, 0))
    }

    /// Binds a socket to a free port of the loopback interface.
    static func bind(_ descriptor: Int32) throws -> UInt16 {
        var address = address(0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(descriptor, $0, size) == 0 ? getsockname(descriptor, $0, &size) : -1
            }
        }
        guard code == 0 else { throw POSIXError(.EADDRINUSE) }
        return UInt16(bigEndian: address.sin_port)
    }

    /// A port that is free now.
    static func free(_ kind: __socket_type = SOCK_STREAM) throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(kind.rawValue), 0)
        defer { close(descriptor) }
        return try bind(descriptor)
    }

    /// Sends a line to a port and returns the first answer; nil if there is none within seconds.
    static func ask(_ port: UInt16, _ text: String, _ kind: __socket_type = SOCK_STREAM) -> String? {
        let descriptor = socket(AF_INET, Int32(kind.rawValue), 0)
        defer { close(descriptor) }
        var patience = timeval(tv_sec: 5, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var address = address(port)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0, send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL)) == text.utf8.count else {
            return nil
        }
        var answer = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &answer, answer.count, 0)
        return count > 0 ? String(decoding: answer[..<count], as: UTF8.self) : nil
    }
}

enum HostRoutes {
    /// Whether an interface has a default route of IPv4, whose addresses passt takes.
    static var hasDefault: Bool {
        let routes = (try? String(contentsOfFile: "/proc/net/route", encoding: .utf8)) ?? ""
        return routes.split(separator: "\n").contains { $0.split(separator: "\t").dropFirst().first == "00000000" }
    }
}
