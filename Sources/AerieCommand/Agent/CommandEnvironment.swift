internal import Foundation

/// Variables for a command in a guest, as options and files give them.
struct CommandEnvironment {
    /// A larger file is not a list of variables.
    private static let fileLimit = 1 << 20

    private(set) var values: [String] = []
    private let host = ProcessInfo.processInfo.environment

    /// The kind of the terminal that this program runs on, for a command that gets a terminal.
    static var terminal: [String] {
        guard let name = ProcessInfo.processInfo.environment["TERM"], !name.isEmpty else { return [] }
        return ["TERM=\(name)"]
    }

    /// Adds `K=V`, or `K` with the value that it has here. A variable that is not set here is left out, as podman does.
    mutating func add(_ text: String, asked: String) throws(AgentVerbError) {
        let name = text.prefix { $0 != "=" }
        guard !name.isEmpty, !text.utf8.contains(0) else {
            throw AgentVerbError(
                .usage, asked: asked, found: "'\(text)' is not a valid variable", advice: "give NAME=VALUE or NAME")
        }
        if name.count < text.count {
            values.append(text)
        } else if let value = host[text] {
            values.append("\(text)=\(value)")
        }
    }

    /// Adds the variables in a file. Empty lines and lines that begin with `#` have none.
    mutating func add(file: String) throws(AgentVerbError) {
        let text: String
        do {
            let data = try Data(contentsOf: URL(filePath: file))
            guard data.count <= Self.fileLimit, let decoded = String(data: data, encoding: .utf8) else {
                throw AgentVerbError(
                    .usage, asked: "--env-file", found: "\(file) is not a text of at most 1M",
                    advice: "give another file")
            }
            text = decoded
        } catch let error as AgentVerbError {
            throw error
        } catch {
            throw AgentVerbError(.usage, asked: "--env-file", found: "\(file) cannot be read")
        }
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let line = line.trimmingPrefix { $0 == " " || $0 == "\t" }
            if line.isEmpty || line.hasPrefix("#") { continue }
            try add(String(line), asked: "--env-file: line \(index + 1) of \(file)")
        }
    }
}
