package import HostSystem

/// The host cannot run the translator.
package struct TranslationError: Error, CustomStringConvertible {
    /// The part of the translator that is missing.
    package let subject: String
    /// The failed system call; nil when the host's processor is the reason.
    package let cause: SystemError?

    package var description: String { cause.map { "\(subject): \($0)" } ?? subject }
}
