internal import MachineSession

/// Finds where the guest's command begins among the words of `aerie run`, `create` and `exec`, so that nobody has to type `--` before it.
///
///     aerie run --cpus 4 debian ls -l /
///     aerie exec -it -w /srv web ls -l
///
/// The first word that is neither an option nor an option's value is the image or the machine, the second one begins the command, and
/// everything behind that is the command's, options too.
enum RunWords {
    /// Options that take the next word, by the verb. Those of `run` and `create` are in `RunSetting`, too.
    private static let valueOptions: [String: Set<String>] = [
        "run": machineOptions.union(["from", "snapshot-name"]), "create": machineOptions,
        "exec": ["env", "env-file", "workdir", "user", "detach-keys", "wait"],
    ]
    /// Options of `MachineOptions` and `GuestCommandOptions`, and the file of settings.
    private static let machineOptions: Set<String> = [
        "config", "name", "restart", "label", "cpu-weight", "cpu-limit", "pin", "health-cmd", "health-interval",
        "health-timeout", "health-retries", "health-start-period", "hostname", "volume",
        "env", "workdir", "user",
    ]
    private static let exitSnapshot = "--snapshot-on-exit="
    /// Options of one character that take the next word.
    private static let shortValueOptions: [String: Set<Character>] = [
        "run": ["e", "w", "u", "m", "p", "v", "h"], "create": ["e", "w", "u", "m", "p", "v", "h"],
        "exec": ["e", "w", "u"],
    ]

    /// The arguments with `--` before the command, and `--snapshot-on-exit=NAME` as an option of its own; unchanged where there is none, or for another verb.
    ///
    /// - Parameter arguments: without the program's name.
    static func terminated(_ words: [String]) -> [String] {
        var arguments = words
        guard let verb = arguments.first, valueOptions[verb] != nil else { return arguments }
        var index = 1
        var hasName = false
        while index < arguments.count {
            let word = arguments[index]
            if word == "--" { return arguments }
            if word.hasPrefix("-"), word != "-" {
                if verb == "run", word.hasPrefix(exitSnapshot) {
                    arguments[index] = "--snapshot-name=" + word.dropFirst(exitSnapshot.count)
                }
                index += takesValue(word, of: verb) ? 2 : 1
                continue
            }
            if hasName {
                var result = arguments
                result.insert("--", at: index)
                return result
            }
            hasName = true
            index += 1
        }
        return arguments
    }

    static func takesValue(_ option: String, of verb: String) -> Bool {
        guard option.hasPrefix("--") else {
            // Of `-itw`, the last one takes the next word. In `-w/srv`, the first one has its value.
            let letters = option.dropFirst()
            let values = shortValueOptions[verb, default: []]
            return letters.firstIndex { values.contains($0) } == letters.indices.last
        }
        guard !option.contains("=") else { return false }
        let name = String(option.dropFirst(2))
        if verb != "exec", let setting = RunSetting(rawValue: name) { return setting.kind != .flag }
        return valueOptions[verb, default: []].contains(name)
    }
}
