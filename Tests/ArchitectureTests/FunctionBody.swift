/// A function, initializer, accessor or computed property of a source text, from its first line to its closing brace.
struct FunctionBody: Equatable {
    let name: String
    let firstLine: Int
    let lines: Int

    /// Every body in the text. One inside another's body counts for itself, too.
    static func all(in text: String) -> [FunctionBody] {
        let tokens = SwiftScanner.tokens(of: text)
        return tokens.indices.compactMap { index in
            guard case .word(let word) = tokens[index].kind, starters.contains(word) else { return nil }
            // `self.init(…)` is a call.
            if index > 0, tokens[index - 1].kind == .symbol(".") { return nil }
            guard let open = bodyStart(in: tokens, after: index), let close = closing(open, in: tokens) else {
                return nil
            }
            var name = word
            if index + 1 < tokens.count, case .word(let next) = tokens[index + 1].kind { name = next }
            let first = tokens[index].line
            return FunctionBody(name: name, firstLine: first, lines: tokens[close].line - first + 1)
        }
    }

    private static let starters: Set<String> = ["func", "init", "deinit", "subscript", "var"]
    /// What begins another declaration; a requirement of a protocol ends there without a body.
    private static let declarations: Set<String> = [
        "func", "init", "deinit", "subscript", "var", "let", "case", "static", "typealias", "associatedtype", "struct",
        "enum", "class", "extension", "protocol", "mutating", "package", "public", "private", "internal",
    ]

    private static func bodyStart(in tokens: [SwiftScanner.Token], after start: Int) -> Int? {
        var depth = 0
        for index in (start + 1)..<tokens.count {
            switch tokens[index].kind {
            case .symbol("("), .symbol("["): depth += 1
            case .symbol(")"), .symbol("]"): depth -= 1
            case .symbol("{") where depth == 0: return index
            case .symbol("}") where depth == 0, .symbol("@") where depth == 0: return nil
            case .symbol("=") where depth == 0 && tokens[start].kind == .word("var"): return nil
            case .newline where depth == 0 && tokens[start].kind == .word("var"): return nil
            case .word(let word) where depth == 0 && declarations.contains(word) && index > start + 1: return nil
            default: break
            }
        }
        return nil
    }

    private static func closing(_ open: Int, in tokens: [SwiftScanner.Token]) -> Int? {
        var depth = 0
        for index in open..<tokens.count {
            if tokens[index].kind == .symbol("{") { depth += 1 }
            if tokens[index].kind == .symbol("}") { depth -= 1 }
            if depth == 0 { return index }
        }
        return nil
    }
}
