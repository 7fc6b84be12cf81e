/// The place of a copy, by the rules of `cp -a` and podman's cp.
package struct CopyPlan: Equatable, Sendable {
    /// What a copy's destination is before the copy.
    package enum Destination: Equatable, Sendable {
        case absent
        case directory
        /// Anything else; `path` is the one without symbolic links.
        case file(path: String)
    }

    /// The reason why there is no plan; a phrase for a person.
    package enum Obstacle: Error, Equatable, Sendable {
        case directoryOntoFile
        case absentDirectory
        case notADirectory
        case noName

        package var found: String {
            switch self {
            case .directoryOntoFile: "a directory cannot be copied onto a file"
            case .absentDirectory: "the directory does not exist"
            case .notADirectory: "it is not a directory"
            case .noName: "it is the root directory"
            }
        }
    }

    /// The directory that gets the copy. It has to exist.
    package let directory: String
    /// The name of the copy in the directory; nil if the directory gets the source's contents.
    package let name: String?

    package init(directory: String, name: String?) {
        self.directory = directory
        self.name = name
    }

    /// - Parameters:
    ///   - source: as the user wrote it.
    ///   - sourceName: the name of the source's file, where `source` does not end with one (`..`).
    ///   - isDirectory: whether the source is a directory.
    ///   - destination: as the user wrote it.
    package init(
        source: String, sourceName: String? = nil, isDirectory: Bool, destination: String, _ state: Destination
    ) throws(Obstacle) {
        let target = CopyPath(destination)
        switch state {
        case .directory:
            self.init(directory: destination, name: try Self.name(source, sourceName, isDirectory))
        case .file(let path):
            if isDirectory { throw .directoryOntoFile }
            if target.namesDirectory { throw .notADirectory }
            let real = CopyPath(path)
            guard let name = real.name else { throw .noName }
            self.init(directory: real.parent, name: name)
        case .absent:
            if target.namesDirectory, !isDirectory { throw .absentDirectory }
            guard let name = target.name else { throw .absentDirectory }
            self.init(directory: target.parent, name: name)
        }
    }

    private static func name(_ source: String, _ sourceName: String?, _ isDirectory: Bool) throws(Obstacle) -> String? {
        let path = CopyPath(source)
        if isDirectory, path.namesContents { return nil }
        guard let name = path.name ?? sourceName else { throw .noName }
        return name
    }
}
