import Foundation

/// Package.swift as text, with the two questions that the house rules ask it.
///
/// A target stands in one of two forms: `module("Name", [dependencies])`, with `tests` likewise, or
/// `.target(name: "Name", …, dependencies: [dependencies], …)`, with `.executableTarget` likewise.
struct PackageManifest {
    let text: String

    init(text: String) {
        self.text = text
    }

    init() throws {
        text = try String(contentsOf: SourceTree.root.appending(path: "Package.swift"), encoding: .utf8)
    }

    /// The names of the modules that a target may import; nil when there is no such target.
    func dependencies(of target: String) -> Set<String>? {
        if let call = match(#"(?:module|tests)\(\s*"\#(target)"\s*(,\s*\[|,|\))"#) {
            return call.group.hasSuffix("[") ? names(in: bracket(before: call.range.upperBound)) : []
        }
        guard let call = match(#"\.(?:executableTarget|target)\(\s*name:\s*"\#(target)"(,|\))"#) else { return nil }
        let end = text.range(of: "arget(", range: call.range.upperBound..<text.endIndex)?.lowerBound ?? text.endIndex
        let list = text.range(
            of: #"dependencies:\s*\["#, options: .regularExpression, range: call.range.upperBound..<end)
        return list.map { names(in: bracket(before: $0.upperBound)) } ?? []
    }

    /// The targets that are programs, which nothing can import.
    var programs: Set<String> {
        var found: Set<String> = []
        var rest = text.startIndex..<text.endIndex
        while let call = text.range(of: #"executableTarget\(\s*name:\s*""#, options: .regularExpression, range: rest) {
            found.insert(String(text[call.upperBound...].prefix { $0 != "\"" }))
            rest = call.upperBound..<text.endIndex
        }
        return found
    }

    private func match(_ pattern: String) -> (range: Range<String.Index>, group: String)? {
        guard let range = text.range(of: pattern, options: .regularExpression) else { return nil }
        return (range, String(text[range]))
    }

    /// From behind an opening bracket to the closing one.
    private func bracket(before start: String.Index) -> Substring {
        text[start...].prefix { $0 != "]" }
    }

    /// The strings of a list, less the names of packages, which are no modules.
    private func names(in list: Substring) -> Set<String> {
        let parts = list.split(separator: "\"", omittingEmptySubsequences: false)
        let strings = stride(from: 1, to: parts.count, by: 2)
        return Set(strings.filter { !parts[$0 - 1].hasSuffix("package: ") }.map { String(parts[$0]) })
    }
}
