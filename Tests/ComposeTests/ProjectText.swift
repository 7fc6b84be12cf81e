import Compose

/// Reads project files that stand in tests.
struct ProjectText {
    /// A few options of `aerie run`, one of each kind.
    static let vocabulary = ComposeVocabulary([
        "image": .text, "cpus": .text, "memory": .text, "arch": .text, "append": .text, "watchdog": .text,
        "firmware": .text, "stop-timeout": .text, "disk-size": .text, "read-only": .flag, "disk": .list,
        "network": .list, "publish": .list, "share": .list, "allow-egress": .list,
    ])

    var environment: [String: String] = [:]
    var files: [String: String] = [:]
    var name: String?

    func read(_ text: String, directory: String = "shop") throws(ComposeError) -> ComposeProject {
        let files = files
        let reader = ComposeReader(
            vocabulary: Self.vocabulary, environment: environment
        ) { (path) throws(ComposeReader.FileObstacle) in
            if let text = files[path] { return text }
            throw ComposeReader.FileObstacle(text: "it is not there", isMissing: true)
        }
        return try reader.project(text: text, file: "aerie.yaml", name: name, directory: directory)
    }

    /// The only service of a file whose fields these are, each line without indentation.
    func service(_ fields: String, top: String = "") throws(ComposeError) -> ComposeService {
        try read(Self.file(fields, top: top)).services[0]
    }

    /// A file with a service `web` on line 2; its fields begin on line 3.
    static func file(_ fields: String, top: String = "") -> String {
        let lines = fields.split(separator: "\n", omittingEmptySubsequences: false).map { "    \($0)\n" }
        return "services:\n  web:\n" + lines.joined() + top
    }

    /// The settings as `name=value`.
    func settings(_ fields: String, top: String = "") throws(ComposeError) -> [String] {
        try service(fields, top: top).settings.map { setting in
            switch setting.value {
            case .text(let text): "\(setting.name)=\(text)"
            case .flag(let flag): "\(setting.name)=\(flag)"
            }
        }
    }

    /// The refusal of a service with these fields; empty where there is none.
    func refusal(_ fields: String, top: String = "") -> String {
        do throws(ComposeError) {
            _ = try service(fields, top: top)
            return ""
        } catch { return error.description }
    }

    /// The refusal of a file; empty where there is none.
    func refusal(file: String) -> String {
        do throws(ComposeError) {
            _ = try read(file)
            return ""
        } catch { return error.description }
    }
}
