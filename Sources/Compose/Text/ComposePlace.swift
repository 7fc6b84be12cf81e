/// A place in a project file, for messages.
package struct ComposePlace: Equatable, Sendable, CustomStringConvertible {
    /// As the user wrote it, or the name of the file that was found.
    package var file: String
    /// From 1 on; nil for the file as a whole.
    package var line: Int?
    /// The keys that lead to the place, such as `services.web.ports`; empty for the file itself.
    package var path: String

    package var description: String {
        file + (line.map { ", line \($0)" } ?? "") + (path.isEmpty ? "" : ", \(path)")
    }

    func key(_ name: String, line: Int?) -> ComposePlace {
        ComposePlace(file: file, line: line ?? self.line, path: path.isEmpty ? name : "\(path).\(name)")
    }
}
