/// Why an image could not be built, found, or removed: one line for the user, and the evidence for `--verbose`.
package struct ImageError: Error, Equatable, CustomStringConvertible {
    /// What kind of failure it is, which decides the exit code of the front.
    package enum Kind: Sendable {
        /// The request itself is wrong: a malformed name, an unknown suite, architecture, or package.
        case usage
        /// A file of the store or of the archive is not what it should be.
        case badInput
        /// The host lacks what was asked: a tool, the network, space, a writable directory.
        case unavailable
        /// A mistake of ours, or a guest that failed where it should not.
        case internalFailure

        /// The exit code that the command line promises for this kind (sysexits.h).
        package var exitCode: Int32 {
            switch self {
            case .usage: 64
            case .badInput: 65
            case .unavailable: 69
            case .internalFailure: 70
            }
        }
    }

    package let kind: Kind
    /// `what was asked: what was found; what to do`, without a line break.
    package let message: String
    /// What the tool in question printed, for `--verbose`; may have many lines, may be empty.
    package let detail: String

    package init(_ kind: Kind, _ message: String, detail: String = "") {
        self.kind = kind
        self.message = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        self.detail = detail
    }

    /// The task was cancelled.
    static let interrupted = ImageError(.unavailable, "building an image: interrupted; nothing was stored")

    package var description: String { message }
}
