import Foundation
import GuestToolchain

/// One of the built programs while it runs, with a pipe for its output that is read only when the test asks for it.
final class RunningProgram {
    private let program: ChildProgram
    /// Stays as long as the program's error may be read.
    private let directory: TemporaryDirectory
    private let output = Pipe()
    private let errorPath: String

    /// - Parameter wrapper: another program with arguments of its own that runs the command which follows them.
    init(
        _ arguments: [String], on aerie: AerieProcess, program: String = "aerie", wrapper: [String] = [],
        environment: [String: String] = [:]
    ) throws {
        let words = wrapper + [AerieProcess.path(of: program)] + arguments
        directory = aerie.directory
        errorPath = try aerie.directory.file("error-\(UInt64.random(in: 0...(.max)))", Data())
        let error = try aerie.directory.writer(errorPath)
        self.program = try ChildProgram(
            words[0], Array(words.dropFirst()), environment: aerie.environment.merging(environment) { $1 },
            directory: aerie.directory.path, output: output.fileHandleForWriting.fileDescriptor,
            error: error.fileDescriptor)
        try output.fileHandleForWriting.close()
    }

    deinit { program.kill() }

    var identifier: Int32 { program.identifier }

    func send(_ signal: Int32) { program.send(signal) }

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
            if MachineProcesses.status(of: identifier).first == "T" { return true }
            usleep(5000)
        }
        return false
    }

    /// Reads all output until its end.
    func readAll() -> Data { output.fileHandleForReading.readDataToEndOfFile() }

    /// Waits for the end without reading: the exit code, or the negative number of the signal that ended the program.
    func end() -> Int32 { (try? program.awaitEnd().code) ?? -SIGKILL }

    var error: String { (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? "" }
}
