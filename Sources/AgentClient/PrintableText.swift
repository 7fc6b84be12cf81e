/// Text of a guest for a terminal or a log of this host: a control character could reprogram the terminal, or forge a line.
package enum PrintableText {
    /// The bytes as UTF-8, with a question mark for each control and formatting character.
    package static func of(_ bytes: [UInt8]) -> String {
        var result = ""
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            result.unicodeScalars.append(isPrintable(scalar.value) ? scalar : "?")
        }
        return result
    }

    /// C0, DEL and C1 control characters; line separators; characters that change the direction of text (Unicode TR 36).
    private static func isPrintable(_ value: UInt32) -> Bool {
        switch value {
        case 0..<0x20, 0x7F...0x9F, 0x200B...0x200F, 0x2028...0x202E, 0x2066...0x2069, 0xFEFF: false
        default: true
        }
    }
}
