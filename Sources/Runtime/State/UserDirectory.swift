internal import CRuntime

/// Aerie's directory of one kind of a user, as the XDG Base Directory Specification says; nil where neither the variable nor a home directory is an
/// absolute path.
///
/// - Parameters:
///   - variable: of the environment, for the parent directory.
///   - fallback: the parent in the home directory.
///   - value: of a variable of the environment.
func userDirectory(_ variable: String, _ fallback: String, _ value: (String) -> String?) -> String? {
    if let parent = value(variable), parent.hasPrefix("/") { return "\(parent)/aerie" }
    guard let home = value("HOME") ?? aerie_home_directory().map({ String(cString: $0) }), home.hasPrefix("/") else {
        return nil
    }
    return "\(home)/\(fallback)/aerie"
}
