package import Foundation

/// A directory for a test or a call, removed with all that is in it when its owner goes away.
package final class TemporaryDirectory: Sendable {
    package let path: String

    package init() {
        var template = Array("\(FileManager.default.temporaryDirectory.path)/aerie-test-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { fatalError("no directory \(template): \(errno)") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    package var url: URL { URL(filePath: path) }

    /// The path of a file in it, which need not be there.
    package func path(_ name: String) -> String { "\(path)/\(name)" }

    /// Writes a file and returns its path.
    package func file(_ name: String, _ content: Data) throws -> String {
        try content.write(to: URL(filePath: path(name)))
        return path(name)
    }

    package func file(_ name: String, _ content: [UInt8]) throws -> String { try file(name, Data(content)) }

    /// Opens one of its files for writing, by its path.
    package func writer(_ path: String) throws -> FileHandle { try FileHandle(forWritingTo: URL(filePath: path)) }

    /// Writes a program and returns its path.
    ///
    /// Another process writes it: a child that some other test forks just now would have the file open for writing, and nobody could run
    /// it (ETXTBSY).
    package func program(_ name: String, _ content: Data) throws -> String {
        let source = try file("\(name).copy", content)
        defer { try? FileManager.default.removeItem(atPath: source) }
        let result = try HostProgram.run("/usr/bin/install", ["-m", "755", source, path(name)])
        guard result.status == 0 else {
            throw HostProgram.Failure(description: String(decoding: result.output, as: UTF8.self))
        }
        return path(name)
    }

    package func program(_ name: String, _ content: [UInt8]) throws -> String { try program(name, Data(content)) }

    /// What is in one of its files, by its path.
    package func contents(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(filePath: path))) }

    /// What it holds, in no order.
    package func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path) }
}
