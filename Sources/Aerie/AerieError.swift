package import DiskImages
internal import GuestBoot
package import HostSystem
internal import TranslationRuntime

/// The reason why Aerie refuses or fails: for people in its text, for programs in its category.
public struct AerieError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The kind of a failure, with the exit code of a command that ends with it.
    public enum Category: Int32, Sendable {
        /// The request contradicts itself or is out of range.
        case usage = 64
        /// A file is missing, unreadable, or not what it should be.
        case badInput = 65
        /// This host, or this build of Aerie, cannot do it.
        case unavailable = 69
        /// Output could not be delivered: its reader is gone, a disk is full.
        case inputOutput = 74
        /// A defect of Aerie.
        case internalError = 70
        /// Everything was in order, but the host would not start the virtual machine.
        case notStarted = 125
        /// The connection to a machine's process or to the agent in its guest ended early. A command may have run; the advice says so.
        case connectionLost = 76
        /// The guest refused: it cannot execute a program, or has no such user, directory or file.
        case refusedByGuest = 126
        /// The guest has no such program.
        case commandNotFound = 127
        /// The caller's task was cancelled.
        case cancelled = 130
    }

    /// The kind of failure.
    public let category: Category
    /// The request, in the caller's words, for example `--cpus 900`.
    public let asked: String
    /// The obstacle.
    public let found: String
    /// Advice for the caller; empty when there is none.
    public let advice: String

    /// An error in three parts, each a phrase without a full stop.
    public init(_ category: Category, asked: String, found: String, advice: String = "") {
        self.category = category
        self.asked = asked
        self.found = found
        self.advice = advice
    }

    /// One line: request, obstacle, advice.
    public var description: String {
        "\(asked): \(found)" + (advice.isEmpty ? "" : "; \(advice)")
    }

    /// The exit code of a command that ends with this error.
    public var exitCode: Int32 { category == .connectionLost ? Category.notStarted.rawValue : category.rawValue }

    /// The host refused something that the machine needs.
    package init(opening asked: String, _ error: SystemError) {
        // A limit of the process names itself, whichever call met it.
        let isLimited = error.meetsFileSizeLimit
        self.init(
            isLimited ? .unavailable : .notStarted, asked: asked, found: isLimited ? error.reason : error.description,
            advice: error.advice ?? "")
    }

    /// An image cannot be opened or used.
    package init(disk error: DiskImageError) {
        let category: Category =
            switch error {
            case .changesTooLarge: .unavailable
            case .noScratch: .notStarted
            case .system: .inputOutput
            default: .badInput
            }
        self.init(category, line: error.description)
    }

    /// Throws a usage error when this program was started with an argument that is not UTF-8.
    package static func checkArguments() throws(AerieError) {
        guard let (position, text) = ProgramArguments.firstMalformed else { return }
        throw AerieError(
            .usage, asked: "argument \(position)", found: "'\(text)' is not valid UTF-8",
            advice: "rename the file, or give a link to it")
    }

    /// The program's own output could not be written.
    package init(output error: SystemError) {
        self.init(.inputOutput, asked: "standard output", found: error.description, advice: "the output is incomplete")
    }
}

/// Calls `body`, and turns an error of a lower module into an `AerieError`.
///
/// - Parameter asked: the request, for errors that do not name it themselves.
func wrapping<Result, Failure: Error>(
    _ asked: @autoclosure () -> String, _ body: () throws(Failure) -> Result
) throws(AerieError) -> Result {
    do {
        return try body()
    } catch let error as BootError {
        throw AerieError(.badInput, line: error.description)
    } catch let error as DiskImageError {
        throw AerieError(disk: error)
    } catch let error as SystemError {
        throw AerieError(opening: asked(), error)
    } catch let error as TranslationError {
        if let cause = error.cause { throw AerieError(opening: error.subject, cause) }
        throw AerieError(.unavailable, asked: asked(), found: error.description)
    } catch {
        throw AerieError(.internalError, asked: asked(), found: "\(error)")
    }
}

extension AerieError {
    /// An error whose one line, in three parts already, comes from a lower module.
    package init(_ category: Category, line: String) {
        let (asked, found) = line.divided(at: ": ") ?? (line, "")
        self.init(category, asked: asked, found: found)
    }
}
