import Foundation
import GuestToolchain
import TestSupport
import Testing

/// What a run of the built `aerie` left behind.
struct AerieResult {
    let code: Int32
    let output: String
    let error: String
}

extension Process {
    /// Waits until a program that runs has ended. One that hangs is killed, so that it holds up its own test only.
    func awaitEnd() throws {
        if Patience.wait(Patience.limitOfPrograms, until: { !isRunning }) { return }
        kill(processIdentifier, SIGKILL)
        waitUntilExit()
        throw Hanging(command: ([executableURL?.path ?? ""] + (arguments ?? [])).joined(separator: " "))
    }

    struct Hanging: Error, CustomStringConvertible {
        let command: String

        var description: String { "killed, because it did not end in \(Patience.limitOfPrograms): \(command)" }
    }
}

/// Runs the `aerie` that was built with these tests, with directories of its own for everything it keeps.
struct AerieProcess {
    /// Beside the test bundle, which is the running program.
    static let executable = path(of: "aerie")

    static func path(of program: String) -> String {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: program).path
    }

    let directory: TemporaryDirectory

    init() throws {
        directory = TemporaryDirectory()
    }

    /// - Parameters:
    ///   - program: one that this package builds.
    ///   - wrapper: another program with arguments of its own that runs the command which follows them.
    func run(
        _ arguments: [String], input: String = "", environment: [String: String] = [:], program: String = "aerie",
        wrapper: [String] = []
    ) throws -> AerieResult {
        let process = Process()
        let words = wrapper + [Self.path(of: program)] + arguments
        process.executableURL = URL(filePath: words[0])
        process.arguments = Array(words.dropFirst())
        process.currentDirectoryURL = directory.url
        process.environment = self.environment.merging(environment) { $1 }
        let source = try directory.file("input", Data(input.utf8))
        process.standardInput = try FileHandle(forReadingFrom: URL(filePath: source))
        // Files rather than pipes: nobody has to read while the program runs.
        let output = try directory.file("output", Data())
        let error = try directory.file("error", Data())
        process.standardOutput = try FileHandle(forWritingTo: URL(filePath: output))
        process.standardError = try FileHandle(forWritingTo: URL(filePath: error))
        try process.run()
        try process.awaitEnd()
        return AerieResult(
            code: process.terminationStatus,
            output: try String(contentsOfFile: output, encoding: .utf8),
            error: try String(contentsOfFile: error, encoding: .utf8))
    }

    var environment: [String: String] {
        let path = directory.url.path
        return [
            "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin", "HOME": path, "LC_ALL": "C",
            "XDG_CACHE_HOME": "\(path)/cache", "XDG_DATA_HOME": "\(path)/data", "TERM": "xterm",
            // On a terminal, the Swift runtime would ask what to do about a crash before the program dies of it.
            "SWIFT_BACKTRACE": "enable=no",
        ]
    }
}
