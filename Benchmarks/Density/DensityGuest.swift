import Foundation

/// An idle guest that writes a line to its console every few seconds.
final class DensityGuest: IdleGuest {
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

    func proportionalMemory() throws -> Int { try ProcessTree.proportionalMemory(of: process.processIdentifier) }

    func check() throws { try wait(for: "@alive", count: try count(of: "@alive") + 1, seconds: 600) }

    /// Ends the guest as if its power were cut: aerie takes a second signal for that, QEMU the first one.
    func end() {
        for _ in 0..<20 where process.isRunning {
            process.terminate()
            usleep(500_000)
        }
        guard process.isRunning else { return }
        for process in ProcessTree.members(of: process.processIdentifier).reversed() { kill(process, SIGKILL) }
        process.waitUntilExit()
    }
}
