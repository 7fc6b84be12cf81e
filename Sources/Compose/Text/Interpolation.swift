/// Replaces variables in values, as compose does: `$NAME`, `${NAME}`, and `${NAME…}` with `:-` `-` `:?` `?` `:+` `+`. `$$` is a dollar sign.
struct Interpolation {
    /// What is wrong with a text.
    struct Mistake: Error, Equatable {
        let found: String
        let advice: String
    }

    private static let deepest = 8
    /// A file of a few lines must not become gigabytes by variables in defaults.
    private static let longest = 1 << 20

    let variables: [String: String]
    /// Variables without a value and without a default.
    private(set) var missing: [String] = []

    init(variables: [String: String]) { self.variables = variables }

    mutating func expand(_ text: String) throws(Mistake) -> String {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
        var rest = Substring(text)
        let result = try expand(&rest, depth: 0, untilBrace: false)
        return result
    }

    /// Reads until the end, or until the brace that closes an expression; the brace stays.
    private mutating func expand(
        _ rest: inout Substring, depth: Int, untilBrace: Bool
    ) throws(Mistake) -> String {
        guard depth <= Self.deepest else {
            throw Mistake(found: "variables are nested too deep", advice: "use at most \(Self.deepest) levels")
        }
        var result = ""
        while let character = rest.first, !(untilBrace && character == "}") {
            rest.removeFirst()
            switch rest.first {
            case _ where character != "$": result.append(character)
            case "$":
                rest.removeFirst()
                result.append("$")
            case "{":
                rest.removeFirst()
                result += try braced(&rest, depth)
            default:
                guard let name = Self.name(&rest) else {
                    throw Mistake(found: "a '$' is not followed by a variable", advice: "write '$$' for a dollar sign")
                }
                result += value(name)
            }
            guard result.utf8.count <= Self.longest else {
                throw Mistake(found: "the value has more than 1M bytes", advice: "make it shorter")
            }
        }
        return result
    }

    /// The rest of an expression behind `${`.
    private mutating func braced(_ rest: inout Substring, _ depth: Int) throws(Mistake) -> String {
        let start = rest
        func mistake() -> Mistake {
            let text = start.prefix { $0 != "}" }
            let isClosed = text.endIndex < start.endIndex
            return Mistake(
                found: "'${\(text.prefix(40))\(isClosed ? "}" : "")' is not a valid variable",
                advice: "use a form such as ${NAME} or ${NAME:-default}, and '$$' for a dollar sign")
        }
        guard let name = Self.name(&rest) else { throw mistake() }
        var isAboutEmpty = false
        if rest.first == ":" {
            isAboutEmpty = true
            rest.removeFirst()
        }
        let known = variables[name].flatMap { isAboutEmpty && $0.isEmpty ? nil : $0 }
        let sign = rest.popFirst()
        if sign == "}", !isAboutEmpty { return value(name) }
        guard let sign, "-?+".contains(sign) else { throw mistake() }
        // A part that is not used names no variable that misses.
        let before = missing
        let word = try expand(&rest, depth: depth + 1, untilBrace: true)
        guard rest.popFirst() == "}" else { throw mistake() }
        let usesWord = sign == "+" ? known != nil : known == nil
        if !usesWord { missing = before }
        switch sign {
        case "-": return known ?? word
        case "+": return known == nil ? "" : word
        default:
            if let known { return known }
            throw Mistake(
                found: "the variable \(name) has no value" + (word.isEmpty ? "" : ": \(word)"),
                advice: "set it in the environment or in .env")
        }
    }

    private mutating func value(_ name: String) -> String {
        if let value = variables[name] { return value }
        if !missing.contains(name) { missing.append(name) }
        return ""
    }

    private static func name(_ rest: inout Substring) -> String? {
        let name = rest.prefix { $0 == "_" || $0.isASCII && ($0.isLetter || $0.isNumber) }
        guard let first = name.first, !first.isNumber else { return nil }
        rest = rest.dropFirst(name.count)
        return String(name)
    }
}
