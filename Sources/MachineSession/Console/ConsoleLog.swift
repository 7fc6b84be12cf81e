internal import Glibc
package import HostSystem

/// Keeps what a guest writes to its console in two files, in the format that Kubernetes gives the logs of containers (CRI):
///
///     2026-11-27T16:24:49.123456789Z stdout F a line of text
///     2026-11-27T16:24:49.321456789Z stdout P the beginning of a line that is not complete
///
/// When a file is full, the other one is emptied and continued: both together hold between one and two times the limit. Their first times tell
/// which one is older. The files are
/// opened before the guest runs, and no name is needed later. Whoever writes never waits: when the disk is too slow, lines are left out,
/// and a line says how many bytes.
package final class ConsoleLog: Sendable {
    /// Bytes of a file.
    package static let fileLimit = 8 << 20
    /// Bytes that wait for the disk at most.
    private static let capacity = 1 << 20
    /// A longer line is divided.
    private static let longestLine = 16_384
    /// Nanoseconds after which the beginning of a line is written.
    private static let patience: UInt64 = 200_000_000

    private struct State {
        var waiting: [UInt8] = []
        var lost = 0
        var isClosing = false
        var thread: HostThread?
    }

    private let files: [FileDescriptorBox]
    private let limit: Int
    private let state = Monitor(State())

    /// A descriptor in an array, which takes no values that cannot be copied.
    private final class FileDescriptorBox: Sendable {
        let file: FileDescriptor
        init(_ file: consuming FileDescriptor) { self.file = file }

        /// A full disk loses lines and nothing else.
        func write(_ text: [UInt8]) {
            try? text.withUnsafeBytes { try file.writeAll($0) }
        }
    }

    /// The paths of the two files of a log.
    package static func paths(_ path: String) -> [String] { ["\(path).0", "\(path).1"] }

    /// Opens the files at `path.0` and `path.1`, and continues the one that was written last.
    package init(path: String, limit: Int = ConsoleLog.fileLimit) throws(SystemError) {
        self.limit = limit
        var opened: [FileDescriptorBox] = []
        for name in Self.paths(path) {
            let flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW
            opened.append(FileDescriptorBox(try FileDescriptor(path: name, flags: flags, mode: 0o600)))
        }
        files = opened
    }

    /// Starts the thread that writes. Once.
    package func start() throws(SystemError) {
        let thread = try HostThread(name: "console-log") { [self] in run() }
        state.withLock { $0.thread = thread }
    }

    /// Takes bytes of the guest. Any thread; it never waits.
    package func write(_ bytes: [UInt8]) {
        let wakes = state.withLock { state in
            let wasEmpty = state.waiting.isEmpty
            if state.waiting.count + bytes.count > Self.capacity {
                state.lost += bytes.count
            } else {
                state.waiting += bytes
            }
            return wasEmpty
        }
        if wakes { state.update { _ in } }
    }

    /// Writes what waits, and ends the thread.
    package func close() {
        let thread = state.update { state in
            state.isClosing = true
            defer { state.thread = nil }
            return state.thread
        }
        thread?.join()
    }

    // MARK: The thread

    private func run() {
        var size = files.map { (try? $0.file.size()) ?? 0 }
        // A file that is full is not the one that was written last, unless both are.
        var current = size[0] < UInt64(limit) || size[1] >= UInt64(limit) ? 0 : 1
        var line: [UInt8] = []
        while true {
            let deadline = line.isEmpty ? nil : HostClock.monotonic() &+ Self.patience
            let taken = state.wait(until: deadline) { state -> (bytes: [UInt8], lost: Int)? in
                guard !state.waiting.isEmpty || state.lost > 0 || state.isClosing else { return nil }
                defer { (state.waiting, state.lost) = ([], 0) }
                return (state.waiting, state.lost)
            }
            var text: [UInt8] = []
            Self.divide(taken?.bytes ?? [], &line, into: &text)
            if let lost = taken?.lost, lost > 0 { Self.add(Array("[\(lost) bytes are missing]".utf8), "F", to: &text) }
            let isLast = taken?.bytes.isEmpty == true && taken?.lost == 0
            if taken == nil || isLast, !line.isEmpty {
                Self.add(line, "P", to: &text)
                line = []
            }
            if !text.isEmpty { put(text, &current, &size) }
            if isLast { return }
        }
    }

    private func put(_ text: [UInt8], _ current: inout Int, _ size: inout [UInt64]) {
        if size[current] > 0, size[current] + UInt64(text.count) > UInt64(limit) {
            current = 1 - current
            try? files[current].file.truncate(to: 0)
            size[current] = 0
        }
        files[current].write(text)
        size[current] += UInt64(text.count)
    }

    private static func divide(_ bytes: [UInt8], _ line: inout [UInt8], into text: inout [UInt8]) {
        for byte in bytes {
            if byte == 0x0A {
                // The terminal's driver makes CR LF of each LF.
                if line.last == 0x0D { line.removeLast() }
                add(line, "F", to: &text)
                line = []
            } else {
                line.append(byte)
                if line.count == longestLine {
                    add(line, "P", to: &text)
                    line = []
                }
            }
        }
    }

    private static func add(_ line: [UInt8], _ tag: StaticString, to text: inout [UInt8]) {
        text += Array("\(Timestamp.now(.nanoseconds)) stdout \(tag) ".utf8)
        text += line
        text.append(0x0A)
    }
}
