extension String {
    /// The parts before and after the first `separator`; nil when there is none.
    ///
    /// Swift's own search for more than one character links a megabyte of regular-expression code into the program.
    package func divided(at separator: String) -> (before: String, after: String)? {
        let text = Array(utf8)
        let wanted = Array(separator.utf8)
        guard !wanted.isEmpty, text.count >= wanted.count else { return nil }
        for start in 0...text.count - wanted.count where text[start..<start + wanted.count].elementsEqual(wanted) {
            return (
                String(decoding: text[..<start], as: UTF8.self),
                String(decoding: text[(start + wanted.count)...], as: UTF8.self)
            )
        }
        return nil
    }
}
