internal import CLinux
internal import Glibc
package import HostSystem

/// Writes to an inherited descriptor without waiting, though other processes may write to the same file.
///
/// O_NONBLOCK on the descriptor is no remedy: the flag belongs to the open file description, which other processes share. `NonblockingInput`
/// has the same remedies for reading.
package struct RelayOutput: ~Copyable {
    /// The result of a write.
    package enum Outcome: Equatable, Sendable {
        /// So many bytes were written, at least 1.
        case written(Int)
        /// The reader takes nothing now.
        case full
        /// The reader is gone.
        case closed
        case failed(SystemError)
    }

    /// Bytes that a pipe takes without blocking when it polls as writable (PIPE_BUF).
    private static let atomicChunk = 4096

    /// For poll(2).
    package let descriptor: Int32
    private let kind: aerie_input_kind
    /// Nil for files that never make a writer wait, for sockets, and where the second opening failed.
    private let second: FileDescriptor?

    /// - Parameter descriptor: stays the caller's, and open as long as this value lives.
    package init(_ descriptor: Int32) {
        self.descriptor = descriptor
        kind = aerie_kind_of_input(descriptor)
        var opened: Int32 = -1
        if kind == AERIE_INPUT_PIPE || kind == AERIE_INPUT_TERMINAL {
            opened = aerie_open("/proc/self/fd/\(descriptor)", O_WRONLY | O_NONBLOCK | O_NOCTTY, 0)
        }
        second = opened >= 0 ? FileDescriptor(owning: opened) : nil
    }

    /// Writes bytes from the start of `bytes`, which is not empty. A reader that is gone must not send SIGPIPE's default action: see
    /// `SignalWatch.discard`.
    package func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        while true {
            let count = attempt(bytes)
            if count > 0 { return .written(count) }
            if count == 0 { return .full }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .full
            case EPIPE, ECONNRESET: return .closed
            default: return .failed(.last("write"))
            }
        }
    }

    private func attempt(_ bytes: UnsafeRawBufferPointer) -> Int {
        if kind == AERIE_INPUT_SOCKET {
            return send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
        }
        // Not optional chaining: the owner is not copied.
        if let raw = secondDescriptor { return Glibc.write(raw, bytes.baseAddress, bytes.count) }
        if kind == AERIE_INPUT_FILE { return Glibc.write(descriptor, bytes.baseAddress, bytes.count) }
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&entry, 1, 0) == 1 else { return 0 }
        return Glibc.write(descriptor, bytes.baseAddress, min(bytes.count, Self.atomicChunk))
    }

    private var secondDescriptor: Int32? {
        switch second {
        case .some(let second): second.rawValue
        case nil: nil
        }
    }
}
