internal import CChildProgram
internal import Glibc
internal import Synchronization

/// A program of the host that a test has started.
///
/// It stands in for Foundation's `Process`, whose `run` of Swift 6.3 now and then reads past the end of the list of open files when many
/// are open, and takes the whole test run with it (swift-corelibs-foundation, pull request 5472).
package final class ChildProgram: Sendable {
    /// How a program ended.
    package enum End: Equatable, Sendable {
        /// With this exit code.
        case exited(Int32)
        /// By this signal.
        case killed(by: Int32)

        /// The exit code, or the negative number of the signal.
        package var code: Int32 {
            switch self {
            case .exited(let code): code
            case .killed(let signal): -signal
            }
        }
    }

    /// The process's number. It stays taken until `end` or `isRunning` has seen the end.
    package let identifier: Int32
    private let command: String
    private let known = Mutex<End?>(nil)

    /// Starts a program, in a process group of its own. Of the open files it gets those that are given, and no others.
    ///
    /// - Parameters:
    ///   - path: of the program; PATH is not searched.
    ///   - environment: nil for that of this process.
    ///   - directory: where it starts; nil for where this process is.
    ///   - input: its standard input; nil for one at its end.
    ///   - output: its standard output; nil to drop it.
    ///   - error: its standard error; nil to drop it.
    /// - Throws: `HostProgram.Failure`, for a program that is not there, too.
    package init(
        _ path: String, _ arguments: [String], environment: [String: String]? = nil, directory: String? = nil,
        input: Int32? = nil, output: Int32? = 1, error: Int32? = 2
    ) throws {
        command = ([path] + arguments).joined(separator: " ")
        let words = Self.strings([path] + arguments)
        let variables = environment.map { Self.strings($0.map { "\($0)=\($1)" }) }
        defer { (words + (variables ?? [])).forEach { free($0) } }
        var process: pid_t = 0
        let files = [input ?? -1, output ?? -1, error ?? -1]
        let code =
            if let variables {
                aerie_child_program(&process, path, words, variables, directory, files)
            } else {
                aerie_child_program(&process, path, words, nil, directory, files)
            }
        guard code == 0 else {
            throw HostProgram.Failure(description: "\(path): \(String(cString: strerror(code)))")
        }
        identifier = process
    }

    private static func strings(_ texts: [String]) -> [UnsafeMutablePointer<CChar>?] {
        texts.map { strdup($0) } + [nil]
    }

    package var isRunning: Bool { end() == nil }

    /// Sends a signal; to a program that has ended, none.
    package func send(_ signal: Int32) {
        known.withLock { if $0 == nil { Glibc.kill(identifier, signal) } }
    }

    /// Kills the program, and waits for its end.
    package func kill() {
        send(SIGKILL)
        while isRunning { usleep(Self.interval) }
    }

    /// Waits until the program has ended. One that hangs is killed, so that it holds up its own test only.
    ///
    /// - Parameter limit: longer than any program runs that a test starts, also one that builds an image.
    /// - Throws: `Hanging`.
    @discardableResult
    package func awaitEnd(limit: Duration = .seconds(900)) throws -> End {
        let deadline = ContinuousClock.now + limit
        while ContinuousClock.now < deadline {
            if let end = end() { return end }
            usleep(Self.interval)
        }
        kill()
        throw Hanging(command: command, limit: limit)
    }

    package struct Hanging: Error, CustomStringConvertible {
        let command: String
        let limit: Duration

        package var description: String { "killed, because it did not end in \(limit): \(command)" }
    }

    /// Microseconds between two looks.
    private static let interval: UInt32 = 1000

    /// How it ended; nil while it runs.
    private func end() -> End? {
        known.withLock { known in
            if known != nil { return known }
            var status: Int32 = 0
            guard waitpid(identifier, &status, WNOHANG) == identifier else { return nil }
            known = status & 0x7F == 0 ? .exited(status >> 8 & 0xFF) : .killed(by: status & 0x7F)
            return known
        }
    }
}
