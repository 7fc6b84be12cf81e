/// A file of variables, such as `.env`: a line `NAME=VALUE` for each.
///
/// Values may stand in quotation marks. In single ones every character counts; in double ones and without any, variables are replaced, and
/// without any, ` #` begins a comment.
struct EnvironmentFile {
    /// The line of a mistake, and what is wrong in it.
    struct Mistake: Error, Equatable {
        let line: Int
        let found: String
        let advice: String
    }

    private(set) var variables: [String: String] = [:]

    /// - Parameter outer: variables that values may use, beside those of the lines before.
    init(_ text: String, outer: [String: String]) throws(Mistake) {
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            var words = line.drop(while: \.isWhitespace)
            if words.isEmpty || words.first == "#" { continue }
            if words.hasPrefix("export ") { words = words.dropFirst(7).drop(while: \.isWhitespace) }
            guard let sign = words.firstIndex(of: "=") else {
                throw Mistake(line: index + 1, found: "a '=' is missing", advice: "write NAME=VALUE")
            }
            let name = words[..<sign].trimmed
            guard Self.isName(name) else {
                throw Mistake(
                    line: index + 1, found: "'\(name)' is not the name of a variable",
                    advice: "use letters, digits and '_'")
            }
            do throws(Interpolation.Mistake) {
                variables[name] = try Self.value(
                    words[words.index(after: sign)...].trimmed, outer.merging(variables) { outside, _ in outside })
            } catch {
                throw Mistake(line: index + 1, found: error.found, advice: error.advice)
            }
        }
    }

    static func isName(_ text: String) -> Bool {
        guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
        return text.utf8.allSatisfy {
            (0x61...0x7A).contains($0 | 0x20) || (0x30...0x39).contains($0) || $0 == UInt8(ascii: "_")
        }
    }

    private static func value(
        _ text: String, _ variables: [String: String]
    ) throws(Interpolation.Mistake) -> String {
        guard let quote = text.first, quote == "'" || quote == "\"" else {
            return try expanded(uncommented(text), variables)
        }
        var result = ""
        var rest = text.dropFirst()
        while let character = rest.popFirst() {
            if character == quote {
                // Behind the value, only a comment may stand.
                let tail = rest.drop(while: \.isWhitespace)
                guard tail.isEmpty || tail.first == "#" else { break }
                return quote == "'" ? result : try expanded(result, variables)
            }
            if quote == "\"", character == "\\", let next = rest.popFirst() {
                switch next {
                case "n": result.append("\n")
                case "r": result.append("\r")
                case "t": result.append("\t")
                case "$": result += "$$"
                default: result.append(next)
                }
                continue
            }
            result.append(character)
        }
        throw Interpolation.Mistake(
            found: "a value in quotation marks does not end with one", advice: "write NAME=\"VALUE\"")
    }

    private static func expanded(
        _ text: String, _ variables: [String: String]
    ) throws(Interpolation.Mistake) -> String {
        var interpolation = Interpolation(variables: variables)
        return try interpolation.expand(text)
    }

    private static func uncommented(_ text: String) -> String {
        var previous: Character = " "
        for index in text.indices {
            if text[index] == "#", previous.isWhitespace { return text[..<index].trimmed }
            previous = text[index]
        }
        return text
    }
}

extension Substring {
    var trimmed: String {
        var text = drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
