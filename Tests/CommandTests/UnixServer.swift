import CSockets
import Foundation

/// A server at a socket of Unix, with a thread for each connection.
final class UnixServer: Sendable {
    private let listener: Int32

    /// - Parameter serve: gets each connection, which waits for its peer and is closed afterwards.
    init(_ path: String, serve: @escaping @Sendable (UnixConnection) -> Void) throws {
        listener = aerie_stream_listen(path)
        guard listener >= 0 else { throw POSIXError(.EADDRINUSE) }
        _ = fcntl(listener, F_SETFL, 0)
        Thread.detachNewThread { [listener] in
            while true {
                let descriptor = aerie_stream_accept(listener)
                if descriptor < 0 { return }
                Thread.detachNewThread { serve(UnixConnection(owning: descriptor)) }
            }
        }
    }

    /// Ends the server; connections go on.
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }
}

/// A stream of bytes that waits for its peer.
final class UnixConnection: Sendable {
    private let descriptor: Int32

    init(owning descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFL, 0)
    }

    /// Connects to a port of a guest; nil when the guest does not listen.
    convenience init?(toGuestPort port: Int, at path: String) {
        let descriptor = aerie_stream_connect(path)
        guard descriptor >= 0 else { return nil }
        self.init(owning: descriptor)
        write(Array("CONNECT \(port)\n".utf8)[...])
        var line: [UInt8] = []
        while line.last != 0x0A {
            let byte = read(1)
            if byte.isEmpty { return nil }
            line += byte
        }
        guard line.starts(with: Array("OK ".utf8)) else { return nil }
    }

    deinit { close(descriptor) }

    /// Up to so many bytes; none at the end.
    func read(_ most: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
            count = max(0, recv(descriptor, buffer.baseAddress, most, 0))
        }
    }

    func readAll() -> [UInt8] {
        var result: [UInt8] = []
        while case let part = read(1 << 16), !part.isEmpty { result += part }
        return result
    }

    /// False when the peer takes no more.
    @discardableResult
    func write(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    func endSending() { shutdown(descriptor, Int32(SHUT_WR)) }
}
