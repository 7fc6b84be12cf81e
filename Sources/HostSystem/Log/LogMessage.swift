/// A message of the VMM about a machine, for the person who operates it.
package struct LogMessage: Equatable, Sendable {
    package let level: LogLevel
    /// The part of the machine, for example `virtio0`.
    package let subject: String
    package let text: String

    package init(level: LogLevel, subject: String, text: String) {
        self.level = level
        self.subject = subject
        self.text = text
    }

    /// `LEVEL SEPARATOR SUBJECT: TEXT` on one line: control characters, which a guest may have put into a text, are shown as '?'.
    func line(separator: String) -> [UInt8] {
        Array("\(level.rawValue)\(separator)\(subject): \(text)".utf8).map { $0 < 0x20 || $0 == 0x7f ? 0x3f : $0 }
    }
}
