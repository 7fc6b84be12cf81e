/// Durations as compose writes them: `90s`, `1m30s`, `1.5h`, `500ms`, `10us`.
package enum DurationText {
    /// Longer than any duration that makes sense here: ten years.
    private static let longest = 315_360_000_000_000_000

    /// Nanoseconds; nil for another text.
    package static func nanoseconds(_ text: String) -> Int? {
        // A longer unit comes before one that it begins with.
        let units = [("ms", 1_000_000.0), ("us", 1000), ("ns", 1), ("h", 3.6e12), ("m", 6e10), ("s", 1e9)]
        if text == "0" { return 0 }
        var rest = Substring(text)
        var sum = 0.0
        guard !rest.isEmpty else { return nil }
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber || $0 == "." }
            rest = rest.dropFirst(digits.count)
            guard let number = Double(digits), let unit = units.first(where: { rest.hasPrefix($0.0) }) else {
                return nil
            }
            rest = rest.dropFirst(unit.0.count)
            sum += number * unit.1
        }
        return sum <= Double(longest) ? Int(sum) : nil
    }

    /// Whole seconds, rounded up; nil for another text.
    static func seconds(_ text: String) -> Int? {
        nanoseconds(text).map { ($0 + 999_999_999) / 1_000_000_000 }
    }
}
