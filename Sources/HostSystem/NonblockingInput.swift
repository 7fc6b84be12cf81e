internal import CLinux
internal import Glibc

/// Reads an inherited descriptor without waiting, though other processes may read the same file.
///
/// A descriptor that polls as readable can be empty a moment later, because another process was quicker; read(2) would then wait
/// for the next byte. O_NONBLOCK on the descriptor is no remedy: the flag belongs to the open file description, which the other
/// processes share, and would outlive this process. So a terminal and a pipe are opened a second time, which gives a description
/// of their own, and a socket is read with MSG_DONTWAIT. Where another user's file cannot be opened, a pipe is read with
/// RWF_NOWAIT (Linux 6.4), and a terminal with read(2), which may wait.
package struct NonblockingInput: ~Copyable, Sendable {
    /// The result of a read.
    package enum Outcome: Equatable, Sendable {
        /// The number of bytes, at least 1.
        case bytes(Int)
        /// There are none at present.
        case empty
        /// The input has ended, or cannot be read.
        case ended
    }

    /// The descriptor to read: the caller's, or that of `second`.
    private let source: Int32
    private let kind: aerie_input_kind
    /// Nil for files that never make a reader wait, and where the second opening failed.
    private let second: FileDescriptor?

    /// - Parameter descriptor: stays the caller's, and open as long as this value lives.
    package init(_ descriptor: Int32) {
        kind = aerie_kind_of_input(descriptor)
        var opened: Int32 = -1
        if kind == AERIE_INPUT_PIPE || kind == AERIE_INPUT_TERMINAL {
            opened = aerie_open("/proc/self/fd/\(descriptor)", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0)
        }
        second = opened >= 0 ? FileDescriptor(owning: opened) : nil
        source = opened >= 0 ? opened : descriptor
    }

    /// Reads up to the buffer's size.
    package func read(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
        let count = aerie_read_input(source, kind, buffer.baseAddress, buffer.count)
        if count > 0 { return .bytes(count) }
        return count == -1 && (errno == EINTR || errno == EAGAIN) ? .empty : .ended
    }
}
