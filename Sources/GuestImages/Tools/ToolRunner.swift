internal import Glibc
internal import HostSystem
internal import Subprocess
internal import SystemPackage

/// Runs the host's tools: in a fixed locale, without input, and stopped when the task is cancelled.
struct ToolRunner: Sendable {
    private let directories: [String]
    private let variables: [String: String]

    /// - Parameter variables: set in the tools' environment beside the caller's own.
    init(environment: [String: String], variables: [String: String] = [:]) {
        directories = HostTool.searchPath(environment["PATH"])
        self.variables = variables
    }

    func requireAll() throws(ImageError) {
        try HostTool.requireAll(in: directories)
    }

    /// What a tool that ended printed, and how it ended.
    struct Outcome: Sendable {
        /// Standard output and standard error together, at most the last 4000 lines.
        var lines: [String]
        var succeeded: Bool

        var text: String { lines.joined(separator: "\n") }
    }

    /// Runs a tool and hands on its output line by line as it comes.
    func outcome(
        _ tool: HostTool, _ arguments: [String], in workingDirectory: String? = nil,
        onLine: @Sendable (String) -> Void = { _ in }
    ) async throws(ImageError) -> Outcome {
        do {
            var lines: [String] = []
            let result = try await Subprocess.run(
                .path(FilePath(try path(tool))), arguments: Arguments(arguments), environment: toolEnvironment,
                workingDirectory: workingDirectory.map { FilePath($0) }, platformOptions: options,
                input: .none, output: .sequence, error: .combinedWithOutput
            ) { execution in
                for try await line in execution.standardOutput.strings() {
                    onLine(line)
                    lines.append(line)
                    if lines.count > 8000 { lines.removeFirst(4000) }
                }
                return lines
            }
            try checkFileSizes(result.terminationStatus, result.closureResult, tool)
            return Outcome(lines: result.closureResult, succeeded: result.terminationStatus.isSuccess)
        } catch {
            throw wrapped(error, tool)
        }
    }

    /// Runs a tool that must succeed, and returns what it printed.
    @discardableResult func run(
        _ tool: HostTool, _ arguments: [String], in workingDirectory: String? = nil, purpose: String
    ) async throws(ImageError) -> [String] {
        let outcome = try await outcome(tool, arguments, in: workingDirectory)
        guard outcome.succeeded else { throw failure(tool, purpose: purpose, outcome.lines) }
        return outcome.lines
    }

    /// Runs a tool that must succeed with its standard output in a file, replacing what was there.
    ///
    /// - Returns: its standard error.
    @discardableResult func run(
        _ tool: HostTool, _ arguments: [String], into file: String, purpose: String
    ) async throws(ImageError) -> [String] {
        do {
            let target = try SystemPackage.FileDescriptor.open(
                FilePath(file), .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
            let result = try await Subprocess.run(
                .path(FilePath(try path(tool))), arguments: Arguments(arguments), environment: toolEnvironment,
                platformOptions: options, input: .none,
                output: .fileDescriptor(target, closeAfterSpawningProcess: true), error: .string(limit: 1 << 20))
            let lines = result.standardError.split(whereSeparator: \.isNewline).map(String.init)
            try checkFileSizes(result.terminationStatus, lines, tool)
            guard result.terminationStatus.isSuccess else { throw failure(tool, purpose: purpose, lines) }
            return lines
        } catch {
            throw wrapped(error, tool)
        }
    }

    /// Runs a tool that must succeed on input that `body` writes, and returns the little that it prints.
    func run(
        _ tool: HostTool, _ arguments: [String], purpose: String,
        input body: (([UInt8]) async throws -> Void) async throws -> Void
    ) async throws(ImageError) -> String {
        do {
            let result = try await Subprocess.run(
                .path(FilePath(try path(tool))), arguments: Arguments(arguments), environment: toolEnvironment,
                platformOptions: options, input: .inputWriter, output: .string(limit: 1 << 16), error: .discarded
            ) { execution in
                try await body { _ = try await execution.standardInputWriter.write($0) }
            }
            guard result.terminationStatus.isSuccess else { throw failure(tool, purpose: purpose, []) }
            return result.standardOutput
        } catch {
            throw wrapped(error, tool)
        }
    }

    private func path(_ tool: HostTool) throws(ImageError) -> String {
        if let path = tool.locate(in: directories) { return path }
        try HostTool.requireAll([tool], in: directories)
        throw ImageError(.internalFailure, "\(tool.rawValue): it was found and is gone; try again")
    }

    private var toolEnvironment: Environment {
        var values: [Environment.Key: String?] = ["LC_ALL": "C.UTF-8", "PATH": directories.joined(separator: ":")]
        for (name, value) in variables {
            if let key = Environment.Key(rawValue: name) { values[key] = value }
        }
        return .inherit.updating(values)
    }

    private var options: PlatformOptions {
        var options = PlatformOptions()
        options.teardownSequence = [.gracefulShutDown(allowedDurationToNextStep: .seconds(3))]
        return options
    }

    /// Throws when a tool, or a program that it started, came to the limit on the size of files.
    private func checkFileSizes(
        _ status: TerminationStatus, _ lines: [String], _ tool: HostTool
    ) throws(ImageError) {
        guard !status.isSuccess else { return }
        // apt names the signal of the programs that it starts by its number.
        let isNamed = lines.contains { $0.contains("File too large") || $0.contains("received signal \(SIGXFSZ)") }
        guard status == .signaled(SIGXFSZ) || isNamed else { return }
        throw Files.failure(SystemError("building an image: \(tool.rawValue)", code: EFBIG))
    }

    private func failure(_ tool: HostTool, purpose: String, _ lines: [String]) -> ImageError {
        let full = lines.contains { $0.contains("No space left on device") || $0.contains("Disk quota exceeded") }
        if full { return Files.failure(SystemError("\(purpose): \(tool.rawValue)", code: ENOSPC)) }
        let last = lines.last { !$0.allSatisfy(\.isWhitespace) } ?? "it failed without a word"
        return ImageError(
            .internalFailure, "\(purpose): \(tool.rawValue): \(last)", detail: lines.joined(separator: "\n"))
    }

    private func wrapped(_ error: any Error, _ tool: HostTool) -> ImageError {
        switch error {
        case let error as ImageError: error
        case is CancellationError: .interrupted
        default: ImageError(.unavailable, "\(tool.rawValue): it cannot be run: \(error)")
        }
    }
}
