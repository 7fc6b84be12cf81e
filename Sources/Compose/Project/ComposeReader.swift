/// Reads a project file in the style of compose.
///
/// A field that is not supported is refused by its name and line: a machine that lacks a setting which its user wrote down is worse than none.
package struct ComposeReader {
    /// Why a file that a project names cannot be read.
    package struct FileObstacle: Error, Equatable {
        package let text: String
        package let isMissing: Bool

        package init(text: String, isMissing: Bool) {
            self.text = text
            self.isMissing = isMissing
        }
    }

    /// The text of a file; a relative path begins in the project's directory.
    package typealias FileReader = (_ path: String) throws(FileObstacle) -> String

    private static let environmentName = ".env"
    private static let longestName = 63

    let vocabulary: ComposeVocabulary
    let environment: [String: String]
    let readFile: FileReader

    package init(
        vocabulary: ComposeVocabulary, environment: [String: String], readFile: @escaping FileReader
    ) {
        self.vocabulary = vocabulary
        self.environment = environment
        self.readFile = readFile
    }

    /// Reads a project.
    ///
    /// - Parameters:
    ///   - text: the file's contents.
    ///   - file: the file's name, for messages.
    ///   - name: the project's name; nil for the one in `COMPOSE_PROJECT_NAME`, in the file, or of the directory.
    ///   - directory: the name of the project's directory.
    package func project(
        text: String, file: String, name: String?, directory: String
    ) throws(ComposeError) -> ComposeProject {
        let context = ComposeContext(variables: try variables())
        let root = try ComposeNode(yaml: text, file: file, context: context)
        var named: String?
        var networks: ComposeNode?
        var services: ComposeNode?
        for entry in try root.mapping() where !entry.key.hasPrefix("x-") {
            switch entry.key {
            // Compose reads it no longer either.
            case "version": _ = try entry.value.optionalText()
            case "name": named = try entry.value.text()
            case "services": services = entry.value
            case "networks": networks = entry.value
            case "volumes": try refuseVolumes(entry.value)
            default: throw entry.unsupported()
            }
        }
        guard let services, !services.isNull else {
            throw root.error("it has no services", "write 'services:' with a service below it")
        }
        let project = try projectName(
            name ?? context.variables["COMPOSE_PROJECT_NAME"].flatMap { $0.isEmpty ? nil : $0 } ?? named, directory,
            root)
        let known = try NetworkReader(project: project).networks(networks, root)
        let found = try services.mapping().filter { !$0.key.hasPrefix("x-") }
            .map { (entry) throws(ComposeError) in
                try check(service: entry.key, of: project, entry.place)
                var reader = ServiceReader(entry, project: project, networks: known, reader: self)
                return try reader.read()
            }
        guard !found.isEmpty else { throw services.error("it has no service", "write one below it") }
        let warnings = context.missing.map {
            "\($0.place): the variable \($0.name) has no value; an empty text is used"
        }
        return ComposeProject(name: project, services: try DependencyOrder.sorted(found), warnings: warnings)
    }

    // MARK: Variables

    /// The environment, and what `.env` in the project's directory has beyond it.
    private func variables() throws(ComposeError) -> [String: String] {
        let text: String
        do throws(FileObstacle) {
            text = try readFile(Self.environmentName)
        } catch {
            if error.isMissing { return environment }
            throw ComposeError(
                ComposePlace(file: Self.environmentName, line: nil, path: ""), error.text, "make it readable")
        }
        let file = try environmentFile(text, Self.environmentName, outer: environment)
        return environment.merging(file) { outside, _ in outside }
    }

    func environmentFile(
        _ text: String, _ path: String, outer: [String: String]
    ) throws(ComposeError) -> [String: String] {
        do throws(EnvironmentFile.Mistake) {
            return try EnvironmentFile(text, outer: outer).variables
        } catch {
            throw ComposeError(ComposePlace(file: path, line: error.line, path: ""), error.found, error.advice)
        }
    }

    // MARK: Names

    private func projectName(
        _ given: String?, _ directory: String, _ root: ComposeNode
    ) throws(ComposeError) -> String {
        if let given {
            guard Self.isProjectName(given) else {
                throw root.error(
                    "'\(given)' is not a valid name for a project",
                    "use small letters, digits, '-' and '_', with a letter or a digit first")
            }
            return given
        }
        // As compose does: what a name cannot have is left out.
        let name = String(
            directory.lowercased().filter { Self.isProjectName("a\($0)") }.drop { $0 == "-" || $0 == "_" })
        guard !name.isEmpty else {
            throw root.error(
                "the directory's name '\(directory)' gives no name for the project",
                "write 'name: NAME', or use --project")
        }
        return name
    }

    /// Whether a text is a valid name of a project.
    package static func isProjectName(_ text: String) -> Bool {
        let isPlain = text.utf8.enumerated().allSatisfy { index, byte in
            (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || index > 0 && (byte == 0x2D || byte == 0x5F)
        }
        return isPlain && (1...longestName).contains(text.utf8.count)
    }

    private func check(service: String, of project: String, _ place: ComposePlace) throws(ComposeError) {
        let isPlain = service.utf8.enumerated().allSatisfy { index, byte in
            (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte)
                || index > 0 && "-._".utf8.contains(byte)
        }
        guard isPlain, !service.isEmpty else {
            throw ComposeError(
                place, "'\(service)' is not a valid name for a service",
                "use letters, digits, '-', '.' and '_', with a letter or a digit first")
        }
        let machine = "\(project)-\(service)"
        guard machine.utf8.count <= Self.longestName else {
            throw ComposeError(
                place, "the machine's name '\(machine)' has more than \(Self.longestName) bytes",
                "choose a shorter name, or a shorter --project")
        }
    }

    // MARK: Other parts of the file

    private func refuseVolumes(_ node: ComposeNode) throws(ComposeError) {
        guard let volume = try node.mapping().first else { return }
        throw ComposeError(
            volume.place, "named volumes are not supported",
            "share a directory ('./\(volume.key):/DIRECTORY' in 'volumes' of the service), or give a disk with 'disk'")
    }
}
