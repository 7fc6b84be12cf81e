package import Aerie
package import HostSystem

/// The log of a program that runs one machine: on standard error, or in a file of bounded size.
package final class SessionLog: Sendable {
    package static let defaultLevel = LogLevel.warning

    /// The program's name, which stands before its messages.
    package let program: String
    package let level: LogLevel
    private let output: LogOutput

    private let path: String?
    private let hasStarted = Monitor(false)

    /// Opens the log. `start` begins to write it.
    ///
    /// - Parameters:
    ///   - program: stands before each message on standard error.
    ///   - level: the least important level that is logged.
    ///   - path: of a file; nil is standard error.
    package init(program: String, level: LogLevel, path: String?) throws(AerieError) {
        self.program = program
        self.level = level
        self.path = path
        do throws(SystemError) {
            output =
                try path.map { path throws(SystemError) in try LogOutput(path: path) } ?? LogOutput(program: program)
        } catch { throw Self.failure(path, error) }
    }

    /// Starts the thread that writes, if it does not run yet.
    package func start() throws(AerieError) {
        let isFirst = hasStarted.withLock { started in
            defer { started = true }
            return !started
        }
        guard isFirst else { return }
        do throws(SystemError) {
            try output.start { [program, path] error in
                // Standard error itself has no place to report its loss.
                guard let path else { return }
                StandardError.offer(
                    line: "\(program): --log-file \(path): \(error.reason); messages are lost from now on")
            }
        } catch { throw Self.failure(path, error) }
    }

    private static func failure(_ path: String?, _ error: SystemError) -> AerieError {
        AerieError(
            .badInput, asked: path.map { "--log-file \($0)" } ?? "the log", found: error.reason,
            advice: "choose a file in a directory that can be written to")
    }

    /// The machine's part of the log, with a budget for each cause.
    package var machine: Log { Log(level: level) { [output] in output.write($0) } }

    /// Logs a message of the program itself.
    package func note(_ level: LogLevel, _ subject: String, _ text: String) {
        guard level <= self.level else { return }
        output.write(LogMessage(level: level, subject: subject, text: text))
    }

    /// Writes what the log's reader takes at once, and ends the thread. Messages that come later are dropped.
    package func close() { output.close() }
}
