/// The form of options that name a file: `FILE[,SETTING]...`.
enum OptionText {
    /// The parts between commas. A doubled comma is a comma of its part.
    static func parts(_ text: String) -> [String] {
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
