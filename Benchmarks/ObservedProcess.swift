import Foundation

/// A running process. Its output is read line by line, and its CPU time and memory, with those of its descendants, can be read at any line:
/// a machine runs in a process below the one that was started.
final class ObservedProcess {
    private let process = Process()
    private let pipe = Pipe()
    private let ended = DispatchSemaphore(value: 0)
    private var buffer: [UInt8] = []
    private(set) var transcript: [String] = []

    /// Starts a process. A watchdog kills it after `limit` seconds.
    init(_ path: String, _ arguments: [String], limit: Double) throws {
        process.executableURL = URL(filePath: path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = pipe
        process.terminationHandler = { [ended] _ in ended.signal() }
        try process.run()
        // Closed here, because the read end reports the end of the output only without open write ends.
        try pipe.fileHandleForWriting.close()
        let identifier = process.processIdentifier
        DispatchQueue.global().asyncAfter(deadline: .now() + limit) { [ended] in
            if ended.wait(timeout: .now()) == .timedOut { kill(identifier, SIGKILL) } else { ended.signal() }
        }
    }

    /// The next line without its terminator; nil after the last line.
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

    private var members: [pid_t] { ProcessTree.members(of: process.processIdentifier) }

    /// CPU seconds of the processes so far, all threads.
    func seconds() throws -> Double {
        let times = members.compactMap { member -> Double? in
            var clock = clockid_t()
            var time = timespec()
            guard clock_getcpuclockid(member, &clock) == 0, clock_gettime(clock, &time) == 0 else { return nil }
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        guard !times.isEmpty else {
            throw BenchmarkError("the CPU time of process \(process.processIdentifier) cannot be read")
        }
        return times.reduce(0, +)
    }

    /// The processes' memory. Mappings of at least `guestSize` bytes are guest memory.
    func residentMemory(guestSize: Int) throws -> ProcessMemory {
        var memory = ProcessMemory()
        for member in members { memory.add(try ProcessMemory(of: member, guestSize: guestSize)) }
        return memory
    }

    /// The voluntary context switches of the processes' threads so far, by thread name.
    func sleeps() throws -> [String: Int] {
        var result: [String: Int] = [:]
        let tasks = try members.flatMap { member in
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(member)/task").map {
                "/proc/\(member)/task/\($0)"
            }
        }
        for task in tasks {
            let text = try FileHandle(forReadingFrom: URL(filePath: "\(task)/status")).readToEnd() ?? Data()
            var name = ""
            for line in String(decoding: text, as: UTF8.self).split(separator: "\n") {
                let words = line.split(separator: "\t")
                guard words.count == 2 else { continue }
                if words[0] == "Name:" { name = String(words[1]) }
                if words[0] == "voluntary_ctxt_switches:" { result[name, default: 0] += Int(words[1]) ?? 0 }
            }
        }
        return result
    }

    /// Kills the process, if it still runs, and waits for its end.
    func end() {
        process.terminate()
        if ended.wait(timeout: .now() + 2) == .timedOut {
            kill(process.processIdentifier, SIGKILL)
            ended.wait()
        }
        ended.signal()
    }
}
