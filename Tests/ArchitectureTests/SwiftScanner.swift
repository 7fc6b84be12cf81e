/// Cuts Swift source text into the few kinds of tokens that finding functions needs. Comments and the contents of string
/// literals yield nothing, so that a brace or a keyword in them counts as text.
struct SwiftScanner {
    struct Token: Equatable {
        enum Kind: Equatable {
            case word(String)
            case symbol(Character)
            case newline
        }

        let kind: Kind
        /// The first line is 1.
        let line: Int
    }

    private let text: [Character]
    private var position = 0
    private var line = 1
    private var tokens: [Token] = []

    static func tokens(of text: String) -> [Token] {
        var scanner = SwiftScanner(text: Array(text))
        scanner.scanCode(until: nil)
        return scanner.tokens
    }

    private init(text: [Character]) {
        self.text = text
    }

    private func matches(_ prefix: String) -> Bool {
        position + prefix.count <= text.count && zip(text[position...], prefix).allSatisfy { $0 == $1 }
    }

    private mutating func advance(_ count: Int = 1) {
        for character in text[position..<min(position + count, text.count)] where character.isNewline { line += 1 }
        position = min(position + count, text.count)
    }

    /// - Parameter end: the bracket that closes an interpolation; nil scans to the end of the text.
    private mutating func scanCode(until end: Character?) {
        var depth = 0
        while position < text.count {
            let character = text[position]
            if matches("//") {
                while position < text.count, !text[position].isNewline { position += 1 }
            } else if matches("/*") {
                skipBlockComment()
            } else if character == "\"" || character == "#" {
                scanLiteral()
            } else if character.isLetter || character == "_" {
                scanWord()
            } else {
                if character == end && depth == 0 { return advance() }
                if character == "(" { depth += 1 }
                if character == ")" { depth -= 1 }
                if character.isNewline {
                    tokens.append(Token(kind: .newline, line: line))
                } else if !character.isWhitespace {
                    tokens.append(Token(kind: .symbol(character), line: line))
                }
                advance()
            }
        }
    }

    private mutating func scanWord() {
        let start = position
        while position < text.count, text[position].isLetter || text[position].isNumber || text[position] == "_" {
            position += 1
        }
        tokens.append(Token(kind: .word(String(text[start..<position])), line: line))
    }

    /// Swift's block comments nest.
    private mutating func skipBlockComment() {
        var depth = 0
        repeat {
            if matches("/*") {
                depth += 1
                advance(2)
            } else if matches("*/") {
                depth -= 1
                advance(2)
            } else {
                advance()
            }
        } while depth > 0 && position < text.count
    }

    /// Skips a string literal of any form; a `#` that starts none is a symbol.
    private mutating func scanLiteral() {
        let start = position
        while position < text.count, text[position] == "#" { position += 1 }
        let hashes = String(repeating: "#", count: position - start)
        guard position < text.count, text[position] == "\"" else {
            tokens.append(Token(kind: .symbol("#"), line: line))
            return
        }
        let quote = matches("\"\"\"") ? "\"\"\"" : "\""
        advance(quote.count)
        while position < text.count {
            if matches(quote + hashes) { return advance(quote.count + hashes.count) }
            if matches("\\\(hashes)(") {
                advance(2 + hashes.count)
                scanCode(until: ")")
            } else {
                // An escaped quotation mark does not end the literal.
                advance(matches("\\\(hashes)") ? 2 + hashes.count : 1)
            }
        }
    }
}
