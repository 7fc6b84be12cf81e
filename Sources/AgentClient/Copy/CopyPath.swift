/// The parts of a path that decide where a copy goes.
package struct CopyPath: Equatable, Sendable {
    /// The path without slashes at its end; `/` stays.
    package let path: String
    /// Whether the path ends with `/` or `/.`, so that it must be a directory.
    package let namesDirectory: Bool
    /// Whether the contents are meant rather than the directory: the path ends with `/.`, or is `.` or `/`.
    package let namesContents: Bool

    package init(_ text: String) {
        var bytes = Array(text.utf8)
        let slash = UInt8(ascii: "/")
        let endsWithSlash = bytes.last == slash
        while bytes.count > 1, bytes.last == slash { bytes.removeLast() }
        path = String(decoding: bytes, as: UTF8.self)
        let endsWithDot = path == "." || path.hasSuffix("/.")
        namesDirectory = endsWithSlash || endsWithDot
        namesContents = endsWithDot || path == "/"
    }

    /// The last component; nil where it is no name of a file (`.`, `..`, none).
    package var name: String? {
        guard let last = path.utf8.split(separator: UInt8(ascii: "/")).last else { return nil }
        let name = String(decoding: last, as: UTF8.self)
        return name == "." || name == ".." ? nil : name
    }

    /// The path before the last component: `.` for a name alone.
    package var parent: String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        let before = CopyPath(String(path[..<slash]))
        return before.path.isEmpty ? "/" : before.path
    }
}
