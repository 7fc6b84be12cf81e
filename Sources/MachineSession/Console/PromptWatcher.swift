/// Follows a guest's output and tells whether its last line looks like a prompt: unfinished, and ending the way a
/// shell, a monitor or a login program ends its question.
package struct PromptWatcher {
    private enum Escape { case none, started, control, text, textEnding }

    private static let endings: Set<UInt8> = Set("#$%>:?".utf8)

    private var escape = Escape.none
    private var last: UInt8?
    private var beforeLast: UInt8?

    package init() {}

    /// Whether the output so far ends in a prompt, with or without one space behind it.
    package var showsPrompt: Bool {
        guard let end = last == UInt8(ascii: " ") ? beforeLast : last else { return false }
        return Self.endings.contains(end)
    }

    package mutating func follow(_ byte: UInt8) {
        switch escape {
        case .none: followText(byte)
        case .started:
            // CSI sequences end with a letter, OSC and its kin with BEL or ESC \, all others after one character.
            switch byte {
            case UInt8(ascii: "["): escape = .control
            case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "_"), UInt8(ascii: "^"): escape = .text
            default: escape = .none
            }
        case .control:
            if byte >= 0x40 && byte <= 0x7e { escape = .none }
        case .text:
            if byte == 0x07 { escape = .none } else if byte == 0x1b { escape = .textEnding }
        case .textEnding:
            escape = byte == UInt8(ascii: "\\") ? .none : .text
        }
    }

    private mutating func followText(_ byte: UInt8) {
        switch byte {
        case 0x1b: escape = .started
        case 0x0a, 0x0d:
            last = nil
            beforeLast = nil
        case 0x20...:
            beforeLast = last
            last = byte
        default: break
        }
    }
}
