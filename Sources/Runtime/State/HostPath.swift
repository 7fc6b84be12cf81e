internal import Glibc

/// Paths of this host.
package enum HostPath {
    /// The current directory of this process; `/` where it has gone.
    package static var currentDirectory: String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }

    /// The absolute path of a file.
    ///
    /// - Parameter directory: where a relative path begins; nil for the current directory.
    package static func absolute(_ path: String, in directory: String? = nil) -> String {
        path.hasPrefix("/") ? path : "\(directory ?? currentDirectory)/\(path)"
    }

    /// Whether two paths lead to one file that is there.
    static func isSame(_ first: String, _ second: String) -> Bool {
        guard let one = resolved(first) else { return false }
        return one == resolved(second)
    }

    /// The path without symbolic links (realpath(3)); nil where it leads nowhere.
    static func resolved(_ path: String) -> String? {
        guard let resolved = realpath(path, nil) else { return nil }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}
