/// A paragraph of Debian's control syntax (deb822(5)): fields in their order, each with its value's lines.
struct ControlFile: Equatable, Sendable {
    struct Field: Equatable, Sendable {
        var name: String
        /// As written, continuation lines with their leading space and line break; no final line break.
        var value: String
    }

    var fields: [Field] = []

    /// A field's value by its case-insensitive name.
    subscript(name: String) -> String? {
        let name = name.lowercased()
        return fields.first { $0.name.lowercased() == name }?.value
    }

    /// Splits a file into paragraphs; comment lines and lines that are neither field nor continuation are skipped.
    static func parse(_ text: String) -> [ControlFile] {
        var paragraphs: [ControlFile] = []
        var current = ControlFile()
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.allSatisfy(\.isWhitespace) {
                if !current.fields.isEmpty { paragraphs.append(current) }
                current = ControlFile()
            } else if line.first == "#" {
                continue
            } else if line.first == " " || line.first == "\t" {
                if !current.fields.isEmpty { current.fields[current.fields.count - 1].value += "\n\(line)" }
            } else if let colon = line.firstIndex(of: ":") {
                let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
                current.fields.append(Field(name: String(line[..<colon]), value: String(value)))
            }
        }
        if !current.fields.isEmpty { paragraphs.append(current) }
        return paragraphs
    }
}
