internal import Aerie
internal import ArgumentParser
internal import DiskImages
internal import Foundation
internal import GuestImages
internal import HostSystem

/// How the program ends when something throws: a line for people and an exit code for scripts.
struct Failure {
    /// A defect of the program itself (EX_SOFTWARE of sysexits.h).
    private static let internalError: Int32 = 70

    let code: Int32
    /// For standard error; empty when everything has been said.
    private(set) var message = ""
    /// More, for `--verbose`.
    private(set) var detail = ""
    /// Text that was asked for: help, a version.
    private(set) var output = ""

    init(_ error: any Error) {
        switch error {
        case let error as AerieError:
            code = error.exitCode
            message = error.description
        case let error as DiskImageError:
            let error = AerieError(disk: error)
            code = error.exitCode
            message = error.description
        case let error as AgentVerbError:
            code = error.exitCode
            message = error.description
        case let error as ImageError:
            code = error.kind.exitCode
            message = error.message
            detail = error.detail
        case let error as SystemError:
            // The host's refusal, such as that of a full disk.
            let error = AerieError(
                .inputOutput, asked: "the host", found: error.description,
                advice: error.code == ENOSPC ? "make room, and try again" : "")
            code = error.exitCode
            message = error.description
        case let error as ExitCode:
            code = error.rawValue
        case is CancellationError:
            code = 128 + SIGINT
            message = "interrupted"
        default:
            (code, message, output) = Self.reading(error)
        }
    }

    /// What the argument parser throws, or an error that nothing was prepared for.
    private static func reading(_ error: any Error) -> (code: Int32, message: String, output: String) {
        let parserCode = AerieProgram.exitCode(for: error)
        if parserCode == .success { return (0, "", AerieProgram.fullMessage(for: error)) }
        guard parserCode == .validationFailure else {
            return (internalError, "internal error: \(error); please report it", "")
        }
        let words = VerbWords.path(Array(CommandLine.arguments.dropFirst()))
        let text = ParserMessage(AerieProgram.message(for: error)).line(verb: words)
        return (parserCode.rawValue, text, "")
    }

    func exit() -> Never {
        if !output.isEmpty { print(output) }
        // Lost output makes a success a failure; the code of a failure stays.
        do throws(SystemError) {
            try ProcessStart.flushStandardOutput()
        } catch {
            let lost = Failure(AerieError(output: error))
            if code == 0 { lost.exit() }
            StandardError.write("aerie: \(lost.message)\n")
        }
        if !message.isEmpty { StandardError.write("aerie: \(message)\n") }
        // Behind the image's name, the word is the guest's.
        let arguments = RunWords.terminated(Array(CommandLine.arguments.dropFirst())).prefix { $0 != "--" }
        if !detail.isEmpty && arguments.contains("--verbose") { StandardError.write(detail + "\n") }
        Foundation.exit(code)
    }
}
