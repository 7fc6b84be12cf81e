internal import MachineSession

/// Finds where the guest's command begins among the words of `aerie run` and `aerie create`, so that nobody has to type `--` before it.
///
///     aerie run --cpus 4 debian ls -l /
///
/// The first word that is neither an option nor an option's value is the image, the second one begins the command, and
/// everything behind that is the command's, options too.
enum RunWords {
    /// Options that take the next word and are not in `RunSetting`.
    private static let otherValues: Set<String> = ["config", "name", "restart"]

    /// The arguments with `--` before the command; unchanged where there is none, or for another verb.
    ///
    /// - Parameter arguments: without the program's name.
    static func terminated(_ arguments: [String]) -> [String] {
        guard let verb = arguments.first, ["run", "create"].contains(verb) else { return arguments }
        var index = 1
        var hasImage = false
        while index < arguments.count {
            let word = arguments[index]
            if word == "--" { return arguments }
            if word.hasPrefix("-"), word != "-" {
                index += takesValue(word) ? 2 : 1
                continue
            }
            if hasImage {
                var result = arguments
                result.insert("--", at: index)
                return result
            }
            hasImage = true
            index += 1
        }
        return arguments
    }

    private static func takesValue(_ option: String) -> Bool {
        guard option.hasPrefix("--"), !option.contains("=") else { return false }
        let name = String(option.dropFirst(2))
        if let setting = RunSetting(rawValue: name) { return setting.kind != .flag }
        return otherValues.contains(name)
    }
}
