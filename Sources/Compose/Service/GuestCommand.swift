/// The command of a guest with its surroundings: an image's init runs words, and programs of the image set up the rest.
struct GuestCommand {
    /// The account that a command runs as.
    enum User: Equatable {
        case number(UInt32, group: UInt32)
        case name(String, group: String?)
    }

    /// What an image runs without a command.
    private static let shell = ["/bin/bash", "--login"]

    var command: [String] = []
    var entryPoint: [String] = []
    /// Values that win over those of files.
    var environment: [(key: String, value: String)] = []
    var fileEnvironment: [(key: String, value: String)] = []
    var directory: String?
    var user: User?

    /// The words that the guest runs; empty for the image's shell.
    var words: [String] {
        let plain = entryPoint + command
        let prefix = userWords + environmentWords + directoryWords
        return prefix.isEmpty ? plain : prefix + (plain.isEmpty ? Self.shell : plain)
    }

    private var userWords: [String] {
        switch user {
        case nil: []
        case .number(let user, let group):
            ["setpriv", "--reuid=\(user)", "--regid=\(group)", "--clear-groups", "--"]
        case .name(let user, let group): ["runuser", "-u", user] + (group.map { ["-g", $0] } ?? []) + ["--"]
        }
    }

    private var environmentWords: [String] {
        var pairs = fileEnvironment.filter { pair in !environment.contains { $0.key == pair.key } } + environment
        // A user without a name has no home; the one of root is not for others.
        if case .number = user, !pairs.contains(where: { $0.key == "HOME" }) { pairs.append(("HOME", "/")) }
        return pairs.isEmpty ? [] : ["env", "--"] + pairs.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }

    private var directoryWords: [String] {
        directory.map { ["sh", "-c", #"cd -- "$0" && exec "$@""#, $0] } ?? []
    }
}
