internal import Aerie
internal import ArgumentParser

/// The words of a command line that name verbs. The argument parser ignores unknown ones after `help`, and calls others
/// unexpected arguments.
enum VerbWords {
    /// Throws a usage error for the first word in a verb's place that is not a verb.
    ///
    /// - Parameter arguments: without the program's name.
    static func check(_ arguments: [String]) throws(AerieError) {
        let isHelp = arguments.first == "help"
        // After `help`, every word that is not an option has to be a verb.
        let words =
            isHelp
            ? arguments.dropFirst().filter { !$0.hasPrefix("-") } : Array(arguments.prefix { !$0.hasPrefix("-") })
        var command: any ParsableCommand.Type = AerieProgram.self
        for (index, word) in words.enumerated() {
            let verbs = command.configuration.subcommands
            if verbs.isEmpty && !isHelp { return }
            guard let next = verbs.first(where: { names($0).contains(word) }) else {
                let asked = (isHelp ? ["help"] : []) + words[...index]
                throw AerieError(
                    .usage, asked: asked.joined(separator: " "), found: "'\(word)' is not a verb",
                    advice: advice(word, verbs.filter { $0.configuration.shouldDisplay }.map { name($0) }))
            }
            command = next
        }
    }

    /// The verb that the arguments begin with, and the words behind it; nil for a verb that has verbs of its own.
    static func verb(of arguments: [String]) -> (verb: any ParsableCommand.Type, rest: [String])? {
        var command: any ParsableCommand.Type = AerieProgram.self
        for (index, word) in arguments.enumerated() {
            guard let next = command.configuration.subcommands.first(where: { names($0).contains(word) }) else { break }
            command = next
            if next.configuration.subcommands.isEmpty { return (next, Array(arguments[(index + 1)...])) }
        }
        return nil
    }

    /// The verbs at the beginning of the arguments, such as `image build`; empty when there are none.
    static func path(_ arguments: [String]) -> String {
        var command: any ParsableCommand.Type = AerieProgram.self
        var path: [String] = []
        for word in arguments {
            guard let next = command.configuration.subcommands.first(where: { names($0).contains(word) }) else { break }
            command = next
            path.append(word)
        }
        return path.joined(separator: " ")
    }

    private static func advice(_ word: String, _ names: [String]) -> String {
        if names.isEmpty { return "leave it out" }
        if let near = names.first(where: { Similarity.isTypingError(word, of: $0) }) {
            return "did you mean '\(near)'?"
        }
        return "use one of \(names.joined(separator: ", "))"
    }

    private static func names(_ command: any ParsableCommand.Type) -> [String] {
        [name(command)] + command.configuration.aliases
    }

    /// Every verb has its name in its configuration.
    private static func name(_ command: any ParsableCommand.Type) -> String {
        command.configuration.commandName ?? ""
    }
}
