internal import Aerie
internal import Compose
internal import Foundation
internal import HostSystem

/// The file that describes a project.
struct ProjectFile {
    private static let names = [
        "aerie.yaml", "aerie.yml", "compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml",
    ]
    private static let longest = 1 << 20

    /// Absolute.
    let path: String
    /// As messages name it.
    let shown: String

    /// Absolute, and the same whatever links lead to it.
    var directory: String { URL(filePath: path).deletingLastPathComponent().resolvingSymlinksInPath().path }

    /// - Parameter given: the user's; nil for the first of the usual names, here or in a directory above.
    /// - Throws: `usage` where there is none.
    init(_ given: String?) throws(AerieError) {
        let files = FileManager.default
        let current = URL(filePath: files.currentDirectoryPath)
        if let given {
            shown = given
            path = URL(filePath: given, relativeTo: current).standardizedFileURL.path
            return
        }
        var place = current
        while true {
            for name in Self.names where files.fileExists(atPath: place.appending(path: name).path) {
                path = place.appending(path: name).path
                shown = place == current ? name : path
                return
            }
            guard place.pathComponents.count > 1 else { break }
            place.deleteLastPathComponent()
        }
        throw AerieError(
            .usage, asked: "the project's file",
            found: "there is no aerie.yaml or compose.yaml here or in a directory above",
            advice: "write one, or name it with --file")
    }

    /// Reads the project, and says on standard error what the user should know.
    ///
    /// - Parameter name: nil for the project's own.
    func read(name: String?) throws(AerieError) -> ComposeProject {
        let directory = directory
        let reader = ComposeReader(
            vocabulary: ServiceSettings.vocabulary, environment: ProcessInfo.processInfo.environment
        ) { (file) throws(ComposeReader.FileObstacle) in try Self.text(of: file, in: directory) }
        let text: String
        do throws(ComposeReader.FileObstacle) {
            text = try Self.text(of: path, in: directory)
        } catch {
            throw AerieError(.badInput, asked: shown, found: error.text, advice: "name another file with --file")
        }
        do throws(ComposeError) {
            let directoryName = URL(filePath: directory).lastPathComponent
            let project = try reader.project(text: text, file: shown, name: name, directory: directoryName)
            for warning in project.warnings { StandardError.write("aerie: \(warning)\n") }
            return project
        } catch {
            throw AerieError(project: error)
        }
    }

    private static func text(of path: String, in directory: String) throws(ComposeReader.FileObstacle) -> String {
        let url = URL(filePath: path, relativeTo: URL(filePath: directory, directoryHint: .isDirectory))
        do {
            let file = try FileHandle(forReadingFrom: url)
            defer { try? file.close() }
            let data = try file.read(upToCount: longest + 1) ?? Data()
            guard data.count <= longest else {
                throw ComposeReader.FileObstacle(text: "the file has more than 1M bytes", isMissing: false)
            }
            guard let text = String(validating: data, as: UTF8.self) else {
                throw ComposeReader.FileObstacle(text: "the file is not UTF-8", isMissing: false)
            }
            return text
        } catch let obstacle as ComposeReader.FileObstacle {
            throw obstacle
        } catch CocoaError.fileReadNoSuchFile, CocoaError.fileNoSuchFile {
            throw ComposeReader.FileObstacle(text: "the file is not there", isMissing: true)
        } catch {
            throw ComposeReader.FileObstacle(text: "the file cannot be read", isMissing: false)
        }
    }
}

extension AerieError {
    /// A project file is refused.
    init(project error: ComposeError) {
        self.init(.badInput, asked: "\(error.place)", found: error.found, advice: error.advice)
    }
}
