internal import CLinux
internal import Glibc
internal import HostSystem

/// Ethernet frames on a stream socket, each after its length in 4 bytes, big endian: the format in which passt and QEMU talk.
///
/// The socket does not block. Sending owns at most one frame that the socket took in part; receiving reads many frames at once.
final class FrameStream {
    /// How the stream ended.
    enum Failure: Error, Equatable {
        /// The other end closed the socket.
        case closed
        /// A length that no frame has.
        case badLength(UInt32)
        case system(SystemError)
    }

    private static let prefixSize = 4
    /// Bytes: more than the window of a guest's connection. Pages that are never used cost nothing.
    private static let bufferSize = 8 << 20

    let descriptor: FileDescriptor
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferSize, alignment: 16)
    // The part of `input` that was read and not consumed.
    private var start = 0
    private var end = 0
    // What the socket did not take of the last frame.
    private var unsent: [UInt8] = []
    private(set) var failure: Failure?

    init(owning descriptor: consuming FileDescriptor) {
        self.descriptor = descriptor
    }

    deinit { input.deallocate() }

    // MARK: Sending

    /// - Returns: false when there is no room. A frame for a stream that has failed is dropped.
    func send(_ frame: UnsafeRawBufferPointer) -> Bool {
        guard flush() else { return false }
        guard failure == nil else { return true }
        var prefix = UInt32(frame.count).bigEndian
        let total = Self.prefixSize + frame.count
        let sent = withUnsafeMutableBytes(of: &prefix) { prefix in
            withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { pieces in
                pieces[0] = iovec(iov_base: prefix.baseAddress, iov_len: prefix.count)
                pieces[1] = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: frame.baseAddress), iov_len: frame.count)
                return transmit { sendPieces(pieces) }
            }
        }
        guard let sent else { return failure != nil }
        if sent < total {
            unsent = withUnsafeBytes(of: &prefix) { Array($0.dropFirst(sent)) }
            unsent += frame.dropFirst(max(0, sent - Self.prefixSize))
        }
        return true
    }

    /// Sends what is left of the last frame.
    ///
    /// - Returns: whether nothing is left.
    func flush() -> Bool {
        while !unsent.isEmpty, failure == nil {
            let sent = unsent.withUnsafeBytes { bytes in
                transmit { Glibc.send(descriptor.rawValue, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL)) }
            }
            guard let sent else { return failure != nil }
            unsent.removeFirst(sent)
        }
        return true
    }

    private func sendPieces(_ pieces: UnsafeMutableBufferPointer<iovec>) -> Int {
        var message = msghdr()
        message.msg_iov = pieces.baseAddress
        message.msg_iovlen = pieces.count
        return sendmsg(descriptor.rawValue, &message, Int32(MSG_NOSIGNAL))
    }

    /// The number of bytes sent; nil when the socket has no room or has failed.
    private func transmit(_ call: () -> Int) -> Int? {
        do throws(SystemError) {
            return try checked("send", call)
        } catch {
            if error.code != EAGAIN { fail(error) }
            return nil
        }
    }

    // MARK: Receiving

    /// Reads what the socket has, as far as there is room. passt drops the frames that a full socket does not take, so that it
    /// must not fill up while the guest is slow.
    func drain() {
        while failure == nil, end < input.count || start >= input.count / 2, fill() {}
    }

    /// The next frame, which stays until `consume`; nil when the socket has no whole frame now.
    func receive() -> UnsafeRawBufferPointer? {
        while failure == nil {
            if let count = nextCount {
                guard count >= Ethernet.headerSize, count <= Ethernet.longestFrame else {
                    failure = .badLength(UInt32(count))
                    return nil
                }
                if end - start >= Self.prefixSize + count {
                    return UnsafeRawBufferPointer(rebasing: input[(start + Self.prefixSize)...].prefix(count))
                }
            }
            guard fill() else { return nil }
        }
        return nil
    }

    func consume() {
        guard let count = nextCount else { return }
        start = min(end, start + Self.prefixSize + count)
    }

    /// The length of the frame at `start`, if it has arrived.
    private var nextCount: Int? {
        guard end - start >= Self.prefixSize else { return nil }
        return Int(UInt32(bigEndian: input.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
    }

    /// Reads more; false when there is nothing more now.
    private func fill() -> Bool {
        // The longest frame fits behind any start in the first half.
        if start == end {
            start = 0
            end = 0
        } else if start >= input.count / 2 {
            memmove(input.baseAddress!, input.baseAddress! + start, end - start)
            end -= start
            start = 0
        }
        do throws(SystemError) {
            let count = try checked("recv") {
                recv(descriptor.rawValue, input.baseAddress! + end, input.count - end, 0)
            }
            if count == 0 { failure = .closed }
            end += count
            return count > 0
        } catch {
            if error.code != EAGAIN { fail(error) }
            return false
        }
    }

    private func fail(_ error: SystemError) {
        failure = [ECONNRESET, EPIPE].contains(error.code) ? .closed : .system(error)
    }
}
