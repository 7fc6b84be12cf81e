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
            guard let next = verbs.first(where: { $0.configuration.commandName == word }) else {
                throw AerieError(
                    .usage, asked: arguments.joined(separator: " "), found: "'\(word)' is not a verb",
                    advice: verbs.isEmpty
                        ? "leave it out"
                        : "use one of \(verbs.compactMap(\.configuration.commandName).joined(separator: ", "))")
            }
            command = next
        }
    }
}
