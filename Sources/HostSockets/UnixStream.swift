internal import CSockets
internal import Glibc
internal import HostSystem

/// A stream over a connected socket of Unix.
final class UnixStream: HostStream, @unchecked Sendable {
    // @unchecked: everything is used on the loop's thread.

    private let descriptor: FileDescriptor
    private var source: EventSource?
    private var waiting: [UInt8] = []
    private var endsSending = false
    private(set) var isBroken = false
    var handler: (@Sendable () -> Void)?
    /// Called once, when the stream is closed.
    var closed: (@Sendable () -> Void)?

    init(owning descriptor: consuming FileDescriptor, on loop: EventLoop) throws(SystemError) {
        self.descriptor = descriptor
        source = try loop.watch(self.descriptor.rawValue, for: [.readable, .writable], onlyChanges: true) {
            [weak self] events in
            self?.ready(events)
        }
    }

    private func ready(_ events: EventLoop.Events) {
        if events.contains(.writable) || events.contains(.failed) { flush() }
        handler?()
    }

    // MARK: Sending

    var waitingCount: Int { waiting.count }
    var isHungUp: Bool { aerie_stream_is_hung_up(descriptor.rawValue) != 0 }

    func send(_ pieces: [UnsafeRawBufferPointer]) {
        guard !isBroken else { return }
        var skip = 0
        if waiting.isEmpty { skip = transmit(pieces) }
        guard !isBroken else { return }
        for piece in pieces {
            let sent = min(skip, piece.count)
            waiting += piece[sent...]
            skip -= sent
        }
    }

    /// - Returns: how many bytes the socket took.
    private func transmit(_ pieces: [UnsafeRawBufferPointer]) -> Int {
        let vectors = pieces.map {
            iovec(iov_base: UnsafeMutableRawPointer(mutating: $0.baseAddress), iov_len: $0.count)
        }
        return Self.withMessage(vectors) { message in
            do throws(SystemError) {
                return try checked("sendmsg") { sendmsg(descriptor.rawValue, message, Int32(MSG_NOSIGNAL)) }
            } catch {
                if error.code != EAGAIN { breakDown() }
                return 0
            }
        }
    }

    private func flush() {
        while !waiting.isEmpty, !isBroken {
            let count = waiting.withUnsafeBytes { transmit([$0]) }
            if count == 0 { return }
            waiting.removeFirst(count)
        }
        guard endsSending, !isBroken else { return }
        // Once: each shutdown(2) is an event of the socket, which leads here again.
        endsSending = false
        _ = shutdown(descriptor.rawValue, Int32(SHUT_WR))
    }

    private func breakDown() {
        isBroken = true
        waiting = []
    }

    func endSending() {
        endsSending = true
        if waiting.isEmpty { flush() }
    }

    // MARK: Receiving

    func receive(into pieces: [UnsafeMutableRawBufferPointer]) -> ReceivedBytes {
        receive(into: pieces, flags: 0)
    }

    /// As `receive`, but the bytes stay.
    func peek(into buffer: UnsafeMutableRawBufferPointer) -> ReceivedBytes {
        receive(into: [buffer], flags: Int32(MSG_PEEK))
    }

    private func receive(into pieces: [UnsafeMutableRawBufferPointer], flags: Int32) -> ReceivedBytes {
        let vectors = pieces.map { iovec(iov_base: $0.baseAddress, iov_len: $0.count) }
        return Self.withMessage(vectors) { message in
            do throws(SystemError) {
                let count = try checked("recvmsg") { recvmsg(descriptor.rawValue, message, flags) }
                return count == 0 ? .end : .bytes(count)
            } catch {
                return error.code == EAGAIN ? .none : .failed
            }
        }
    }

    func endReceiving() { _ = shutdown(descriptor.rawValue, Int32(SHUT_RD)) }

    func close() {
        guard let source else { return }
        source.cancel()
        self.source = nil
        handler = nil
        waiting = []
        // The descriptor is closed with the object.
        _ = shutdown(descriptor.rawValue, Int32(SHUT_RDWR))
        closed?()
        closed = nil
    }

    private static func withMessage<Result>(
        _ vectors: [iovec], _ body: (UnsafeMutablePointer<msghdr>) -> Result
    ) -> Result {
        var vectors = vectors
        return vectors.withUnsafeMutableBufferPointer { vectors in
            var message = msghdr()
            message.msg_iov = vectors.baseAddress
            message.msg_iovlen = vectors.count
            return body(&message)
        }
    }
}
