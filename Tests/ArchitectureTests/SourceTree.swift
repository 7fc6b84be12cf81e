import Foundation

/// One Swift file of the repository.
struct SourceFile {
    /// Relative to the repository's root, for example `Sources/Machine/Device.swift`.
    let path: String
    let lines: [String]

    init(path: String, text: String) {
        self.path = path
        lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// The target that the file belongs to.
    var module: String { String(path.split(separator: "/")[1]) }
    var name: String { String(path.split(separator: "/").last ?? "") }

    /// The modules that the file imports.
    var imports: [String] {
        let modifiers: Set<Substring> = ["public", "package", "internal", "fileprivate", "private"]
        let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let", "typealias"]
        return lines.compactMap { line in
            var words = line.split(separator: " ").drop { $0.hasPrefix("@") || modifiers.contains($0) }
            guard words.popFirst() == "import" else { return nil }
            return words.first { !kinds.contains($0) }?.split(separator: ".").first.map(String.init)
        }
    }

    /// Whether a comment stands on the line, on the three before it, or on the two after it.
    func hasComment(beside index: Int) -> Bool {
        lines[max(0, index - 3)...min(lines.count - 1, index + 2)].contains { $0.contains("//") }
    }

    /// Whether the declaration on the line has a documentation comment above its attributes.
    func isDocumented(at index: Int) -> Bool {
        let above = lines[..<index].last { !$0.trimmingCharacters(in: .whitespaces).hasPrefix("@") } ?? ""
        return above.trimmingCharacters(in: .whitespaces).hasPrefix("///")
    }
}

/// The repository that these tests were built from.
enum SourceTree {
    static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Every Swift file under `directory`, in the order of their paths.
    static func files(under directory: String) throws -> [SourceFile] {
        let base = root.appending(path: directory)
        let names = try FileManager.default.subpathsOfDirectory(atPath: base.path).sorted()
        return try names.filter { $0.hasSuffix(".swift") }.map { name in
            SourceFile(
                path: "\(directory)/\(name)",
                text: try String(contentsOf: base.appending(path: name), encoding: .utf8))
        }
    }

    static func modules() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: root.appending(path: "Sources").path).sorted()
    }
}
