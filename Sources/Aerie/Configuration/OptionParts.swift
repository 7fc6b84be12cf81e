/// The parts of an option's value, which commas divide. A comma that belongs to a part is written twice.
enum OptionParts {
    /// There is one part at least.
    static func split(_ text: String) -> [String] {
        var parts: [String] = [""]
        var rest = Substring(text)
        while let character = rest.popFirst() {
            if character != "," {
                parts[parts.count - 1].append(character)
            } else if rest.first == "," {
                rest.removeFirst()
                parts[parts.count - 1].append(",")
            } else {
                parts.append("")
            }
        }
        return parts
    }
}
