import Foundation
import GuestToolchain

/// A running machine, and the program that reaches it.
struct ExecMachine {
    let aerie: String
    let name: String
    /// Of the program; nil for this program's own.
    var environment: [String: String]?

    /// The wall-clock time of a command in the guest; its output is dropped.
    ///
    /// - Parameter input: a command of the host whose output is the command's input.
    func seconds(_ command: [String], input: String? = nil) throws -> Double {
        let words = [aerie, "exec"] + (input == nil ? [] : ["-i"]) + [name] + command
        if let input { return try run(["/bin/sh", "-c", "\(input) | \"$0\" \"$@\""] + words) }
        return try run(words)
    }

    /// The wall-clock time of a client that reaches no machine: its own start and end.
    func clientSeconds() throws -> Double { try run([aerie, "--version"]) }

    private func run(_ words: [String]) throws -> Double {
        let start = ContinuousClock.now
        let program = try ChildProgram(words[0], Array(words.dropFirst()), environment: environment, output: nil)
        let end = try program.awaitEnd()
        let time = ContinuousClock.now - start
        guard end == .exited(0) else {
            throw BenchmarkError("\(words.joined(separator: " ")) ended with \(end.code)")
        }
        return time.seconds
    }
}

/// A guest that a benchmark has started.
final class StartedGuest {
    let socket: String
    private let directory: URL
    private let process = Process()
    /// Its writing end keeps the guest's shell waiting.
    private let input = Pipe()

    init(aerie: String, image: String, architecture: String) throws {
        directory = FileManager.default.temporaryDirectory.appending(path: "aerie-exec-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        socket = directory.appending(path: "vm").path
        process.executableURL = URL(filePath: aerie)
        process.arguments = ["run", "--arch", architecture, "--vsock", socket, image]
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        while process.isRunning, access(socket, F_OK) != 0 { usleep(10_000) }
    }

    func end() {
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: directory)
    }
}
