/// A message of the argument parser, in the form of the program's own: one line with the verb, the obstacle and the advice.
struct ParserMessage {
    private static let question = ". Did you mean '"

    private let found: String
    /// The known option that an unknown one is meant to be.
    private let suggestion: String?

    /// - Parameter text: as the parser has it, with its advice in lines of its own.
    init(_ text: String) {
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        let sentence = line.hasSuffix(".") ? String(line.dropLast()) : line
        let found = sentence.prefix(1).lowercased() + sentence.dropFirst()
        let parts = found.split(separator: "'", omittingEmptySubsequences: false).map(String.init)
        // unknown option 'A'. Did you mean 'B'?
        guard found.contains(Self.question), parts.count == 5 else {
            self.found = found
            suggestion = nil
            return
        }
        self.found = "\(parts[0])'\(parts[1])'"
        let isNear = Similarity.isTypingError(parts[1].drop { $0 == "-" }, of: parts[3].drop { $0 == "-" })
        suggestion = isNear ? parts[3] : nil
    }

    /// - Parameter verb: such as `image build`; empty for the program itself.
    func line(verb: String) -> String {
        let asked = verb.isEmpty ? "" : "\(verb): "
        let help = verb.isEmpty ? "see 'aerie help'" : "see 'aerie help \(verb)'"
        return "\(asked)\(found); " + (suggestion.map { "did you mean '\($0)'? " } ?? "") + help
    }
}
