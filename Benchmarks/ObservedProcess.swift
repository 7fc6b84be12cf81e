import Foundation

/// A running process whose lines of output are read one by one, and whose costs can be asked at any of them.
final class ObservedProcess {
    private let process = Process()
    private let pipe = Pipe()
    private let ended = DispatchSemaphore(value: 0)
    private var buffer: [UInt8] = []
    private(set) var transcript: [String] = []

    /// A process that runs for longer than `limit` seconds is killed: a watchdog, not a measurement.
    init(_ path: String, _ arguments: [String], limit: Double) throws {
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        process.terminationHandler = { [ended] _ in ended.signal() }
        try process.run()
        // The reading end sees the end of the output only when nobody writes any more.
        try pipe.fileHandleForWriting.close()
        let identifier = process.processIdentifier
        DispatchQueue.global().asyncAfter(deadline: .now() + limit) { [ended] in
            if ended.wait(timeout: .now()) == .timedOut { kill(identifier, SIGKILL) } else { ended.signal() }
        }
    }

    /// The next line, without its end; nil after the last.
    func line() -> String? {
        while true {
            if let end = buffer.firstIndex(of: 10) {
                let text = String(decoding: buffer[..<end].filter { $0 != 13 }, as: UTF8.self)
                buffer.removeSubrange(...end)
                transcript.append(text)
                return text
            }
            let data = pipe.fileHandleForReading.availableData
            if data.isEmpty { return nil }
            buffer.append(contentsOf: data)
        }
    }

    func wait() -> Int32 {
        ended.wait()
        ended.signal()
        return process.terminationStatus
    }

    /// CPU seconds of the process so far, all threads.
    func seconds() throws -> Double {
        var clock = clockid_t()
        var time = timespec()
        guard clock_getcpuclockid(process.processIdentifier, &clock) == 0, clock_gettime(clock, &time) == 0 else {
            throw BenchmarkError("the CPU time of process \(process.processIdentifier) cannot be read")
        }
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Resident memory in bytes: of the mapping that is the guest's memory, and of everything else.
    func memory(guestSize: Int) throws -> (guest: Int, other: Int) {
        // Files of /proc have no size: they are read to their end.
        let file = try FileHandle(forReadingFrom: URL(filePath: "/proc/\(process.processIdentifier)/smaps"))
        defer { try? file.close() }
        let text = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
        var guest = 0
        var other = 0
        var size = 0
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count >= 3, words[2] == "kB", let kilobytes = Int(words[1]) else { continue }
            if words[0] == "Size:" { size = kilobytes << 10 }
            if words[0] == "Pss:" {
                if size >= guestSize { guest += kilobytes << 10 } else { other += kilobytes << 10 }
            }
        }
        return (guest, other)
    }
}
