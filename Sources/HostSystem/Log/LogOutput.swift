internal import CLinux
internal import Glibc

/// Writes log messages to standard error, or to a file of bounded size, on a thread of its own.
///
/// Whoever logs never waits: messages that find no room are dropped, and the next message says how many.
package final class LogOutput: Sendable {
    /// Bytes of a log file. At this size it becomes `FILE.1`, in place of the one before, and a new file begins.
    package static let fileLimit: UInt64 = 8 << 20
    /// Bytes of messages that wait for the reader of the log at most.
    private static let capacity = 1 << 16

    private let file: FileDescriptor?
    /// What stands before each message on standard error.
    private let prefix: String
    private let lineEnd: String
    private let queue: OutputQueue
    private let dropped = Monitor(0)

    /// Logs to standard error, as `PROGRAM: LEVEL: SUBJECT: TEXT`.
    package init(program: String) {
        file = nil
        prefix = "\(program): "
        // A terminal in raw mode does not return the carriage by itself.
        lineEnd = StandardError.isTerminal ? "\r\n" : "\n"
        queue = OutputQueue(name: "log", descriptor: STDERR_FILENO, capacity: Self.capacity)
    }

    /// Logs to a file, which grows from its end, as `TIME LEVEL SUBJECT: TEXT` with times of ISO 8601 in UTC.
    package init(path: String, limit: UInt64 = LogOutput.fileLimit) throws(SystemError) {
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY
        let file = try FileDescriptor(path: path, flags: flags)
        let descriptor = file.rawValue
        // Only a regular file has a size, and a name that can be given to another.
        let size = Monitor(file.isRegularFile ? try file.size() : nil)
        queue = OutputQueue(name: "log", descriptor: descriptor, capacity: Self.capacity) { count in
            size.withLock { size in
                guard let known = size else { return }
                size = known + UInt64(count)
                guard known > 0, known + UInt64(count) > limit else { return }
                Self.replace(path, descriptor, flags)
                size = UInt64(count)
            }
        }
        self.file = .some(file)
        prefix = ""
        lineEnd = "\n"
    }

    /// Moves the full file away and makes `descriptor` a new one. Where that is refused, the file is emptied: the size stays
    /// bounded.
    private static func replace(_ path: String, _ descriptor: Int32, _ flags: Int32) {
        if rename(path, "\(path).1") == 0, let next = try? FileDescriptor(path: path, flags: flags) {
            if aerie_replace_descriptor(next.rawValue, descriptor) >= 0 { return }
        }
        _ = ftruncate(descriptor, 0)
    }

    /// Starts the thread.
    ///
    /// - Parameter onFailure: called once, on the log's thread, when nothing more can be written; messages are dropped from then
    ///   on.
    package func start(onFailure: @escaping @Sendable (SystemError) -> Void = { _ in }) throws(SystemError) {
        try queue.start(onFailure: onFailure)
    }

    /// Writes a message when the thread gets to it. Any thread; it never waits.
    package func write(_ message: LogMessage) {
        dropped.withLock { dropped in
            var text = line(message)
            if dropped > 0 {
                text += line(LogMessage(level: .warning, subject: "log", text: "\(dropped) messages were dropped"))
            }
            dropped = queue.writeWhole(text) ? 0 : dropped + 1
        }
    }

    /// Writes what the log's reader takes at once, and ends the thread.
    package func close() { queue.close() }

    private func line(_ message: LogMessage) -> [UInt8] {
        if file == nil { return Array(prefix.utf8) + message.line(separator: ": ") + Array(lineEnd.utf8) }
        return Array("\(Timestamp.now()) ".utf8) + message.line(separator: " ") + Array(lineEnd.utf8)
    }
}
