/// The command of a guest with its surroundings: an image's init runs words, and programs of the image set up the rest.
package struct GuestCommand: Equatable, Sendable {
    /// The account that a command runs as.
    package enum User: Equatable, Sendable {
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

        /// Whether a text has the form of NAME or UID, with GROUP or GID behind a colon or not.
        package static func isValid(_ text: String) -> Bool {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            return parts.count <= 2 && parts.allSatisfy { UInt32($0) != nil || isAccount($0) }
        }

        private static func isAccount(_ text: String) -> Bool {
            text.utf8.enumerated().allSatisfy { index, byte in
                (0x61...0x7A).contains(byte | 0x20) || byte == 0x5F
                    || index > 0 && ((0x30...0x39).contains(byte) || "-.$".utf8.contains(byte))
            } && !text.isEmpty
        }
    }

    package struct Variable: Equatable, Sendable {
        package let key: String
        package let value: String

        package init(_ key: String, _ value: String) {
            self.key = key
            self.value = value
        }
    }

    /// What an image runs without a command.
    package static let shell = ["/bin/bash", "--login"]

    package var command: [String] = []
    var entryPoint: [String] = []
    /// Values that win over those of files.
    package var environment: [Variable] = []
    var fileEnvironment: [Variable] = []
    package var directory: String?
    package var user = User.root

    package init() {}

    /// The words that the guest runs where no agent sets up the rest; empty for the image's shell.
    package var words: [String] {
        let plain = entryPoint + command
        let prefix = userWords + environmentWords + directoryWords
        return prefix.isEmpty ? plain : prefix + (plain.isEmpty ? Self.shell : plain)
    }

    // MARK: For a guest whose agent starts the command

    /// The command's own words, with the image's shell where only its surroundings are described; empty for the image's shell.
    package var agentWords: [String] {
        let plain = entryPoint + command
        let isBare = variables.isEmpty && directory == nil && user == .root
        return plain.isEmpty && !isBare ? Self.shell : plain
    }

    /// `K=V` each.
    package var variables: [String] { sortedVariables.map { "\($0.key)=\($0.value)" } }

    /// As the agent reads it; nil for root.
    package var userText: String? {
        switch user {
        case .root: nil
        case .number(let user, let group): "\(user):\(group)"
        case .name(let user, let group): user + (group.map { ":\($0)" } ?? "")
        }
    }

    /// All of it, for a digest.
    var digestTexts: [String] { agentWords + variables + [directory ?? "", userText ?? ""] }

    private var sortedVariables: [Variable] {
        let pairs = fileEnvironment.filter { pair in !environment.contains { $0.key == pair.key } } + environment
        return pairs.sorted { $0.key < $1.key }
    }

    // MARK: For a guest without an agent

    private var userWords: [String] {
        switch user {
        case .root: []
        case .number(let user, let group):
            ["setpriv", "--reuid=\(user)", "--regid=\(group)", "--clear-groups", "--"]
        case .name(let user, let group): ["runuser", "-u", user] + (group.map { ["-g", $0] } ?? []) + ["--"]
        }
    }

    private var environmentWords: [String] {
        var pairs = sortedVariables
        // A user without a name has no home; the one of root is not for others.
        if case .number = user, !pairs.contains(where: { $0.key == "HOME" }) { pairs.append(Variable("HOME", "/")) }
        return pairs.isEmpty ? [] : ["env", "--"] + pairs.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    }

    private var directoryWords: [String] {
        directory.map { ["sh", "-c", #"cd -- "$0" && exec "$@""#, $0] } ?? []
    }
}
