internal import CSockets
internal import Glibc
package import HostSystem

/// Sockets of Unix in both directions, named as Firecracker and Cloud Hypervisor name them.
///
/// - A program of the host connects to PATH and writes `CONNECT PORT\n`, with the guest's port in decimal. When the guest has accepted, it
///   reads `OK HOSTPORT\n`; the rest is the guest's. A guest that does not listen closes the connection.
/// - A guest's connection to port P of the host leads to the program that listens at `PATH_P`.
package final class UnixSocketBackend: SocketBackend, @unchecked Sendable {
    // @unchecked: what changes is used on the loop's thread, or before and after the loop's handlers.

    /// The longest path in bytes: names of sockets have 107, and `_4294967295` is added.
    package static let longestPath = 96
    /// The most connections that have not named a port yet; of more, the oldest is closed.
    private static let mostUndecided = 64
    private static let longestRequest = 32

    private let listener: ListeningSocket
    private let connector: @Sendable (UInt32) -> Int32
    private var undecided: [UnixStream] = []
    private var source: EventSource?
    private var loop: EventLoop?
    private var log = Log.silent
    private var handler: (@Sendable (any HostStream, UInt32) -> Void)?

    /// Listens at `path`.
    ///
    /// - Parameter connector: connects to the program that serves a port; -1 where none does. It must not wait for long. Nil connects
    ///   from this process.
    package init(path: String, connector: (@Sendable (_ port: UInt32) -> Int32)? = nil) throws(SystemError) {
        listener = try ListeningSocket(path: path)
        self.connector = connector ?? { Self.connect(to: path, port: $0) }
    }

    /// Connects to the program that listens at `path_port`: a descriptor that does not block, or -1 with errno set.
    package static func connect(to path: String, port: UInt32) -> Int32 { aerie_stream_connect("\(path)_\(port)") }

    /// Connects to the program that listens at `path`: a descriptor that does not block, or -1 with errno set.
    package static func connect(to path: String) -> Int32 { aerie_stream_connect(path) }

    package func start(
        on loop: EventLoop, log: Log, handler: @escaping @Sendable (any HostStream, UInt32) -> Void
    ) throws(SystemError) {
        self.loop = loop
        self.log = log
        self.handler = handler
        source = try loop.watch(listener.descriptor.rawValue, for: .readable, onlyChanges: true) { [weak self] _ in
            self?.acceptAll()
        }
    }

    package func stop() {
        source?.cancel()
        source = nil
        handler = nil
        loop = nil
        for stream in undecided { stream.close() }
        undecided = []
        listener.remove()
    }

    package func connect(port: UInt32) -> (any HostStream)? {
        let descriptor = connector(port)
        return descriptor < 0 ? nil : makeStream(descriptor)
    }

    private func makeStream(_ descriptor: Int32) -> UnixStream? {
        let owned = FileDescriptor(owning: descriptor)
        guard let loop, let stream = try? UnixStream(owning: owned, on: loop) else { return nil }
        // Connections may wait for a descriptor.
        stream.closed = { [weak self, weak loop] in loop?.async { [weak self] in self?.acceptAll() } }
        return stream
    }

    private func acceptAll() {
        while source != nil {
            let descriptor = aerie_stream_accept(listener.descriptor.rawValue)
            if descriptor >= 0 {
                if let stream = makeStream(descriptor) { hold(stream) }
                continue
            }
            switch errno {
            case EINTR, ECONNABORTED: continue
            case EAGAIN: return
            default:
                let reason = String(cString: strerror(errno))
                log.note(.warning, "vsock", cause: "accept", "a connection to \(listener.path) has to wait: \(reason)")
                return
            }
        }
    }

    // MARK: Connections that have not named a port

    private func hold(_ stream: UnixStream) {
        undecided.append(stream)
        if undecided.count > Self.mostUndecided { undecided.removeFirst().close() }
        stream.handler = { [weak self, weak stream] in
            if let stream { self?.readRequest(of: stream) }
        }
        readRequest(of: stream)
    }

    private func readRequest(of stream: UnixStream) {
        let line = withUnsafeTemporaryAllocation(byteCount: Self.longestRequest, alignment: 1) { buffer -> [UInt8]? in
            switch stream.peek(into: buffer) {
            case .none: return []
            case .end, .failed: return nil
            case .bytes(let count):
                guard let end = buffer[..<count].firstIndex(of: 0x0A) else {
                    // The end of a line may still come, but not behind the end of the stream.
                    return count < buffer.count && !stream.isHungUp ? [] : nil
                }
                return Array(buffer[...end])
            }
        }
        if line?.isEmpty == true { return }
        undecided.removeAll { $0 === stream }
        stream.handler = nil
        guard let line, let port = Self.port(in: line), let handler else { return stream.close() }
        withUnsafeTemporaryAllocation(byteCount: line.count, alignment: 1) { _ = stream.receive(into: [$0]) }
        handler(stream, port)
    }

    /// The port of `CONNECT PORT\n`.
    static func port(in line: [UInt8]) -> UInt32? {
        let word = Array("CONNECT ".utf8)
        let digits = line.dropFirst(word.count).dropLast()
        guard line.starts(with: word), !digits.isEmpty, digits.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
        return UInt32(String(decoding: digits, as: UTF8.self))
    }
}
