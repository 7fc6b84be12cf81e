internal import Aerie

/// Rewrites the words that made a machine.
enum RunArguments {
    private static let dropped: Set<String> = ["--detach", "-d", "--rm", "--no-snapshot"]
    /// Options of a command that the terminal's user sees; a machine in the background has no such command.
    private static let attached: Set<String> = [
        "--env", "-e", "--workdir", "-w", "--user", "-u", "--tty", "--no-tty",
        "--snapshot-on-exit", "--snapshot-name",
    ]
    private static let droppedWithValue: Set<String> = ["--name", "--restart"]

    /// The words of `aerie run` that make such a machine in the background until its end. A supervisor keeps the restart policy.
    ///
    /// - Parameter arguments: those of `aerie run` or `aerie create`, without the program's name.
    /// - Returns: nil for other words.
    /// - Throws: `usage` for options that a machine in the background does not have.
    static func detached(_ arguments: [String], name: String) throws(AerieError) -> [String]? {
        guard let verb = arguments.first, verb == "run" || verb == "create" else { return nil }
        let words = RunWords.terminated(arguments)
        let end = words.firstIndex(of: "--") ?? words.endIndex
        var result = ["run", "--detach", "--rm", "--name", name]
        var index = 1
        while index < end {
            let word = words[index]
            let option = word.prefix { $0 != "=" }
            let short = String(word.hasPrefix("--") ? option : word.prefix(2))
            guard !attached.contains(short) else {
                throw AerieError(
                    .usage, asked: "--new",
                    found: "machine '\(name)' was made with \(short), which needs a terminal's user",
                    advice: "make it with --detach, or leave --new out")
            }
            let count = RunWords.takesValue(word, of: verb) ? 2 : 1
            if !dropped.contains(word), !droppedWithValue.contains(String(option)) {
                result += words[index..<min(index + count, end)]
            }
            index += count
        }
        return result + words[end...]
    }
}
