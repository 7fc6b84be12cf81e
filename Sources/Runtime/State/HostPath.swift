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
        guard let one = realpath(first, nil) else { return false }
        defer { free(one) }
        guard let other = realpath(second, nil) else { return false }
        defer { free(other) }
        return strcmp(one, other) == 0
    }
}
