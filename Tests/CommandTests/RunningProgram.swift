import Foundation
import GuestToolchain

/// One of the built programs while it runs, with a pipe for its output that is read only when the test asks for it.
final class RunningProgram {
    private let process = Process()
    private let output = Pipe()
    private let errorPath: String

    /// - Parameter wrapper: another program with arguments of its own that runs the command which follows them.
    init(
        _ arguments: [String], on aerie: AerieProcess, program: String = "aerie", wrapper: [String] = [],
        environment: [String: String] = [:]
    ) throws {
        let words = wrapper + [AerieProcess.path(of: program)] + arguments
        process.executableURL = URL(filePath: words[0])
        process.arguments = Array(words.dropFirst())
        process.currentDirectoryURL = aerie.directory.url
        process.environment = aerie.environment.merging(environment) { $1 }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        errorPath = try aerie.directory.file("error-\(UInt64.random(in: 0...(.max)))", Data())
        process.standardError = try FileHandle(forWritingTo: URL(filePath: errorPath))
        try process.run()
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    var identifier: Int32 { process.processIdentifier }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Waits until so many bytes of output lie unread, or a generous time has passed.
    func waitForUnread(_ count: Int32) -> Bool {
        for _ in 0..<12_000 {
            var waiting: Int32 = 0
            // FIONREAD
            guard ioctl(output.fileHandleForReading.fileDescriptor, 0x541B, &waiting) == 0 else { return false }
            if waiting >= count { return true }
            usleep(5000)
        }
        return false
    }

    /// Waits until a signal has stopped the program, or a generous time has passed.
    func waitUntilStopped() -> Bool {
        for _ in 0..<12_000 {
            let status = (try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8)) ?? ""
            // The state follows the name in parentheses (proc_pid_stat(5)).
            if status.split(separator: ")").last?.hasPrefix(" T") == true { return true }
            usleep(5000)
        }
        return false
    }

    /// Reads all output until its end.
    func readAll() -> Data { output.fileHandleForReading.readDataToEndOfFile() }

    /// Waits for the end without reading: the exit code, or the negative number of the signal that ended the program.
    func end() -> Int32 {
        // Of one that is killed, the number is that of the signal.
        try? process.awaitEnd()
        return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
    }

    var error: String { (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? "" }
}
