import Foundation
import GuestToolchain

/// Runs the program JailBreaker, which makes attempts from inside of a jail.
struct BreakerProgram {
    private static let executable = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent()
        .appending(path: "JailBreaker")

    /// What a run printed.
    struct Report {
        /// The layers that the host refuses; empty for none.
        let gaps: String
        /// Outcomes by the attempts' names.
        let outcomes: [String: String]

        /// Attempts that succeeded, or could not be made in a jail.
        var alarming: [String] {
            outcomes.filter { !$0.value.hasPrefix("refused") && !$0.value.hasPrefix("ended") }
                .map { "\($0.key): \($0.value)" }.sorted()
        }
    }

    let directory = TemporaryDirectory()

    init() throws {
        let files = FileManager.default
        for name in ["share", "read-only"] {
            try files.createDirectory(atPath: directory.path(name), withIntermediateDirectories: false)
        }
        // Another user runs a copy, too.
        _ = try directory.program("breaker", Data(contentsOf: Self.executable))
        for (name, mode) in [("", 0o777), ("share", 0o777), ("read-only", 0o777)] {
            try files.setAttributes([.posixPermissions: mode], ofItemAtPath: directory.path(name))
        }
    }

    /// - Parameters:
    ///   - thread: the name of the thread that makes the attempts.
    ///   - wrapper: a program with arguments that runs the command which follows.
    func run(_ thread: String, _ options: [String] = [], wrapper: [String] = []) throws -> Report {
        try? FileManager.default.removeItem(atPath: directory.path("socket"))
        let words = wrapper + [directory.path("breaker"), directory.path, thread] + options
        let result = try HostProgram.run(words[0], Array(words.dropFirst()))
        let lines = String(decoding: result.output, as: UTF8.self).split(separator: "\n")
        var outcomes: [String: String] = [:]
        var gaps = "no output: \(String(decoding: result.output, as: UTF8.self))"
        for line in lines {
            let parts = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if parts.first == "gaps" {
                gaps = parts.count > 1 ? parts[1] : ""
            } else if parts.count == 2 {
                outcomes[parts[0]] = parts[1]
            }
        }
        return Report(gaps: gaps, outcomes: outcomes)
    }

    /// As another user, whom root becomes for the test; a user who is not root stays who they are.
    static let asUser =
        getuid() == 0 ? ["/usr/bin/setpriv", "--reuid", "12345", "--regid", "12345", "--clear-groups"] : []

    /// Without user namespaces: their number is limited to the one that this wrapper makes. The program has no capabilities in it.
    static let withoutNamespaces = [
        "/usr/bin/unshare", "--user", "--map-root-user", "/bin/sh", "-c",
        "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$@\"", "sh", "/usr/bin/setpriv", "--securebits",
        "+noroot,+noroot_locked", "--inh-caps=-all", "--bounding-set=-all",
    ]

    /// Why the tests of a whole jail cannot run on this host; nil when they can.
    static let obstacle: String? = {
        guard let gaps = try? BreakerProgram().run("main", ["--attempt", "none"]).gaps else { return "no program" }
        return gaps.isEmpty ? nil : gaps
    }()
}
