/// Judges the suggestions of the argument parser, which finds `--cpus` similar to `--bogus`.
enum Suggestion {
    private static let question = ". Did you mean '"

    /// The parser's message without its suggestion, unless that differs from the unknown option as a typing error does:
    /// by one character, or by one in three.
    static func withoutFarOnes(_ message: String) -> String {
        let parts = message.split(separator: "'", omittingEmptySubsequences: false).map(String.init)
        // Unknown option 'A'. Did you mean 'B'?
        guard message.contains(question), parts.count == 5 else { return message }
        let name = parts[1].drop { $0 == "-" }
        let suggested = parts[3].drop { $0 == "-" }
        guard distance(name, suggested) > max(1, name.count / 3) else { return message }
        return "\(parts[0])'\(parts[1])'"
    }

    /// How many characters have to be inserted, removed or replaced to turn one text into the other.
    private static func distance(_ first: Substring, _ second: Substring) -> Int {
        let columns = Array(second)
        var previous = Array(0...columns.count)
        for (row, character) in first.enumerated() {
            var current = [row + 1]
            for (column, other) in columns.enumerated() {
                let replaced = previous[column] + (character == other ? 0 : 1)
                current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[columns.count]
    }
}
