internal import Aerie
internal import ArgumentParser

/// The words after `aerie help`, which the argument parser ignores when they name no verb.
enum HelpWords {
    /// Throws a usage error for the first word that is not a verb.
    ///
    /// - Parameter arguments: without the program's name.
    static func check(_ arguments: [String]) throws(AerieError) {
        guard arguments.first == "help" else { return }
        var command: any ParsableCommand.Type = AerieProgram.self
        for word in arguments.dropFirst() where !word.hasPrefix("-") {
            let verbs = command.configuration.subcommands
            guard let next = verbs.first(where: { name($0) == word }) else {
                let names = verbs.map { name($0) }.joined(separator: ", ")
                throw AerieError(
                    .usage, asked: arguments.joined(separator: " "), found: "'\(word)' is not a verb",
                    advice: verbs.isEmpty ? "leave it out" : "use one of \(names)")
            }
            command = next
        }
    }

    /// Every verb has its name in its configuration.
    private static func name(_ command: any ParsableCommand.Type) -> String {
        command.configuration.commandName ?? ""
    }
}
