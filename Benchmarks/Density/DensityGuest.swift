import Foundation

/// An idle guest that writes a line to its console every few seconds.
final class DensityGuest {
    private let process = Process()
    private let output: URL

    /// What the guest runs: its lines are the proof that it lives.
    static let command = ["sh", "-c", "echo @ready; while sleep 5; do echo @alive; done"]

    init(_ machine: Machine, _ arguments: [String], in directory: URL, number: Int) throws {
        output = directory.appending(path: "console-\(machine.name)-\(number)")
        try Data().write(to: output)
        process.executableURL = URL(filePath: machine.path)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = process.standardOutput
        try process.run()
    }

    /// The number of lines with a mark so far.
    func count(of mark: String) throws -> Int {
        let text = String(decoding: try Data(contentsOf: output), as: UTF8.self)
        return text.split(whereSeparator: \.isNewline).count { $0 == mark }
    }

    /// Waits until the guest has written a mark so often.
    func wait(for mark: String, count: Int, seconds: Double) throws {
        let end = Date() + seconds
        while try self.count(of: mark) < count {
            guard process.isRunning, Date() < end else {
                let text = String(decoding: try Data(contentsOf: output), as: UTF8.self).suffix(2000)
                throw BenchmarkError("a guest did not write '\(mark)' \(count) times:\n\(text)")
            }
            usleep(100_000)
        }
    }

    /// Bytes of memory of the guest's processes, each page divided by the number of processes that have it.
    func proportionalMemory() throws -> Int {
        var total = 0
        for process in Self.tree(of: process.processIdentifier) {
            // Files in /proc report size 0, so they are read until end of file.
            guard let file = FileHandle(forReadingAtPath: "/proc/\(process)/smaps_rollup"),
                let data = try? file.readToEnd()
            else { continue }
            for line in String(decoding: data, as: UTF8.self).split(separator: "\n") where line.hasPrefix("Pss:") {
                total += (Int(line.split(separator: " ").dropFirst().first ?? "") ?? 0) << 10
            }
        }
        guard total > 0 else {
            throw BenchmarkError("the memory of process \(process.processIdentifier) cannot be read")
        }
        return total
    }

    /// A process and its descendants: the monitor of a machine, the machine, and its network.
    static func tree(of process: pid_t) -> [pid_t] {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
        let children = tasks.flatMap { task -> [pid_t] in
            let file = FileHandle(forReadingAtPath: "/proc/\(process)/task/\(task)/children")
            let text = String(decoding: (try? file?.readToEnd()) ?? Data(), as: UTF8.self)
            return text.split(separator: " ").compactMap { pid_t($0) }
        }
        return [process] + children.flatMap { tree(of: $0) }
    }

    /// Ends the guest as if its power were cut: aerie takes a second signal for that, QEMU the first one.
    func end() {
        for _ in 0..<20 where process.isRunning {
            process.terminate()
            usleep(500_000)
        }
        guard process.isRunning else { return }
        for process in Self.tree(of: process.processIdentifier).reversed() { kill(process, SIGKILL) }
        process.waitUntilExit()
    }
}
