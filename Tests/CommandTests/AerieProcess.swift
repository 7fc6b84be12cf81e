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
        let words = wrapper + [Self.path(of: program)] + arguments
        let source = try FileHandle(
            forReadingFrom: URL(filePath: try directory.file("input", Data(input.utf8))))
        // Files rather than pipes: nobody has to read while the program runs.
        let output = try directory.file("output", Data())
        let error = try directory.file("error", Data())
        let (outputFile, errorFile) = try (directory.writer(output), directory.writer(error))
        let running = try ChildProgram(
            words[0], Array(words.dropFirst()), environment: self.environment.merging(environment) { $1 },
            directory: directory.path, input: source.fileDescriptor, output: outputFile.fileDescriptor,
            error: errorFile.fileDescriptor)
        return AerieResult(
            code: try running.awaitEnd().code,
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
