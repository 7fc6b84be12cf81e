import Foundation

/// An idle guest of QEMU. It writes a line to its console every few seconds, which is the proof that it lives.
final class ConsoleGuest: IdleGuest {
    private let process = Process()
    private let output: URL

    /// What the guest runs.
    static let command = ["sh", "-c", "echo @ready; while sleep 5; do echo @alive; done"]
    /// Seconds for a boot, and for a line afterwards.
    private static let patience = 600.0

    /// Starts a guest, and returns when it runs its command.
    init(_ program: String, _ arguments: [String], output: URL) throws {
        self.output = output
        try Data().write(to: output)
        process.executableURL = URL(filePath: program)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = process.standardOutput
        try process.run()
        do { try wait(for: "@ready", count: 1) } catch {
            end()
            throw error
        }
    }

    /// The number of lines with a mark so far.
    private func count(of mark: String) throws -> Int {
        let text = String(decoding: try Data(contentsOf: output), as: UTF8.self)
        return text.split(whereSeparator: \.isNewline).count { $0 == mark }
    }

    /// Waits until the guest has written a mark so often.
    private func wait(for mark: String, count: Int) throws {
        let end = Date() + Self.patience
        while try self.count(of: mark) < count {
            guard process.isRunning, Date() < end else {
                let text = String(decoding: try Data(contentsOf: output), as: UTF8.self).suffix(2000)
                throw BenchmarkError("a guest did not write '\(mark)' \(count) times:\n\(text)")
            }
            usleep(100_000)
        }
    }

    func proportionalMemory() throws -> Int { try ProcessTree.proportionalMemory(of: process.processIdentifier) }

    func check() throws { try wait(for: "@alive", count: try count(of: "@alive") + 1) }

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
