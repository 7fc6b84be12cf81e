internal import Glibc

/// The process's standard error.
package enum StandardError {
    package static var isTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Writes a line, ended as a terminal in raw mode needs it, unless the reader would have to be waited for. For threads that
    /// must not block.
    package static func offer(line: String) {
        let isTerminal = isTerminal
        let bytes = Array((line + (isTerminal ? "\r\n" : "\n")).utf8.prefix(4096))
        // A pipe that polls as writable takes PIPE_BUF bytes, a terminal one byte for certain.
        let step = isTerminal ? 1 : bytes.count
        for start in stride(from: 0, to: bytes.count, by: step) {
            var entry = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
            guard poll(&entry, 1, 0) == 1 else { return }
            _ = bytes[start..<start + step].withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
        }
    }

    package static func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                // There is no other place to report the failure.
                return
            }
        }
    }
}
