/// The command of a guest with its surroundings: an image's init runs words, and programs of the image set up the rest.
package struct GuestCommand {
    /// The account that a command runs as.
    package enum User: Equatable {
        /// What the command is anyway.
        case root
        case number(UInt32, group: UInt32)
        case name(String, group: String?)

        /// Reads NAME, NAME:GROUP, UID or UID:GID.
        ///
        /// The result is nil for another text.
        package init?(_ text: String) {
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            if ["root", "0", "0:0", "root:root", "root:0", "0:root"].contains(text) {
                self = .root
                return
            }
            let group = parts.count == 2 ? parts[1] : nil
            if let number = UInt32(parts[0]) {
                // A number without a group has the group of that number, which is how Debian makes accounts.
                guard let group = group.map({ UInt32($0) }) ?? number else { return nil }
                self = .number(number, group: group)
            } else {
                guard Self.isAccount(parts[0]), group.map({ Self.isAccount($0) }) ?? true else { return nil }
                self = .name(parts[0], group: group)
            }
        }

        private static func isAccount(_ text: String) -> Bool {
            text.utf8.enumerated().allSatisfy { index, byte in
                (0x61...0x7A).contains(byte | 0x20) || byte == 0x5F
                    || index > 0 && ((0x30...0x39).contains(byte) || "-.$".utf8.contains(byte))
            } && !text.isEmpty
        }
    }

    /// What an image runs without a command.
    private static let shell = ["/bin/bash", "--login"]

    package var command: [String] = []
    var entryPoint: [String] = []
    /// Values that win over those of files.
    package var environment: [(key: String, value: String)] = []
    var fileEnvironment: [(key: String, value: String)] = []
    package var directory: String?
    package var user = User.root

    package init() {}

    /// The words that the guest runs; empty for the image's shell.
    package var words: [String] {
        let plain = entryPoint + command
        let prefix = userWords + environmentWords + directoryWords
        return prefix.isEmpty ? plain : prefix + (plain.isEmpty ? Self.shell : plain)
    }

    private var userWords: [String] {
        switch user {
        case .root: []
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
