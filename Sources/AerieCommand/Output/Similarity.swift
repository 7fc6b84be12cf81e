/// Tells typing errors from other words: the argument parser finds `--cpus` similar to `--bogus`.
enum Similarity {
    /// Whether a word differs from a known one as a typing error does: by one character, or by one in three.
    static func isTypingError(_ word: some StringProtocol, of known: some StringProtocol) -> Bool {
        distance(Array(word), Array(known)) <= max(1, word.count / 3)
    }

    /// The number of characters to insert, remove, replace or swap with the next one that turns one word into the other.
    private static func distance(_ first: [Character], _ second: [Character]) -> Int {
        var rows = [Array(0...second.count)]
        for row in first.indices {
            var current = [row + 1]
            for column in second.indices {
                let isSame = first[row] == second[column]
                var best = min(rows[row][column] + (isSame ? 0 : 1), rows[row][column + 1] + 1, current[column] + 1)
                if row > 0, column > 0, first[row] == second[column - 1], first[row - 1] == second[column] {
                    best = min(best, rows[row - 1][column - 1] + 1)
                }
                current.append(best)
            }
            rows.append(current)
        }
        return rows[first.count][second.count]
    }
}
