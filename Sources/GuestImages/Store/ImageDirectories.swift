internal import Glibc

/// Where images and downloads live on this host, as the XDG Base Directory Specification says.
package struct ImageDirectories: Equatable, Sendable {
    /// `$XDG_DATA_HOME/aerie/images`: the store.
    package var images: String
    /// `$XDG_CACHE_HOME/aerie`: what can be fetched again.
    package var cache: String

    package init(images: String, cache: String) {
        self.images = images
        self.cache = cache
    }

    /// The directories of the user whose environment this is; a relative path in a variable is ignored, as the
    /// specification asks.
    package init(environment: [String: String]) throws(ImageError) {
        func base(_ variable: String, _ fallback: String) throws(ImageError) -> String {
            if let value = environment[variable], value.hasPrefix("/") { return value }
            if let home = environment["HOME"], home.hasPrefix("/") { return "\(home)/\(fallback)" }
            guard let entry = getpwuid(getuid()), let home = entry.pointee.pw_dir else {
                throw ImageError(
                    .unavailable, "image store: neither \(variable) nor HOME is set; set HOME to a writable directory")
            }
            return "\(String(cString: home))/\(fallback)"
        }
        func checked(_ variable: String, _ path: String) throws(ImageError) -> String {
            guard !Self.isValid(path) else { return path }
            throw ImageError(
                .usage, "directory '\(path)': its name is not valid UTF-8; set \(variable) to another directory")
        }
        images = try checked("XDG_DATA_HOME", try base("XDG_DATA_HOME", ".local/share")) + "/aerie/images"
        cache = try checked("XDG_CACHE_HOME", try base("XDG_CACHE_HOME", ".cache")) + "/aerie"
    }

    /// Whether a path of the environment was UTF-8: Swift repairs other names, and a repaired name is the name of another
    /// directory.
    package static func isValid(_ path: String) -> Bool { !path.unicodeScalars.contains("\u{FFFD}") }
}
