/// Reads the host's package sources (sources.list(5)) to learn which mirror of the Debian archive it uses.
struct AptSources: Equatable, Sendable {
    /// One archive of the sources: an address with one of its suites.
    struct Entry: Equatable, Sendable {
        var uri: String
        var suite: String
        var components: [String]

        /// The URI without a slash at its end.
        var address: String { uri.hasSuffix("/") ? String(uri.dropLast()) : uri }

        fileprivate var isOnNetwork: Bool { uri.hasPrefix("http://") || uri.hasPrefix("https://") }
    }

    var entries: [Entry] = []

    /// The first mirror that serves a Debian suite itself (not its security updates or backports) with `main`.
    ///
    /// The address of an archive of another distribution never matches: its suites have other names.
    var debianMirror: String? {
        entries.first {
            $0.isOnNetwork && Self.debianSuites.contains($0.suite) && $0.components.contains("main")
        }?.address
    }

    /// The first mirror of Debian's security updates with `main`.
    var debianSecurity: String? {
        entries.first {
            $0.isOnNetwork && $0.components.contains("main") && $0.suite.hasSuffix("-security")
                && Self.debianSuites.contains(String($0.suite.dropLast("-security".count)))
        }?.address
    }

    private static let debianSuites: Set<String> = [
        "oldoldstable", "oldstable", "stable", "testing", "unstable", "sid",
        "buster", "bullseye", "bookworm", "trixie", "forky", "duke",
    ]

    /// Adds the entries of a file in the one-line style.
    mutating func addList(_ text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            var line = line.prefix { $0 != "#" }
            guard line.hasPrefix("deb ") || line.hasPrefix("deb\t") else { continue }
            line = line.dropFirst(3)
            // Options stand in brackets between the type and the address.
            if let open = line.firstIndex(of: "["), line[..<open].allSatisfy(\.isWhitespace) {
                guard let close = line.firstIndex(of: "]") else { continue }
                line = line[line.index(after: close)...]
            }
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard words.count >= 2 else { continue }
            entries.append(Entry(uri: words[0], suite: words[1], components: Array(words.dropFirst(2))))
        }
    }

    /// Adds the entries of a file in the deb822 style.
    mutating func addDeb822(_ text: String) {
        for paragraph in ControlFile.parse(text) {
            func words(_ field: String) -> [String] {
                (paragraph[field] ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
            }
            guard words("Types").contains("deb"), words("Enabled").first?.lowercased() != "no" else { continue }
            for uri in words("URIs") {
                for suite in words("Suites") {
                    entries.append(Entry(uri: uri, suite: suite, components: words("Components")))
                }
            }
        }
    }

    /// The sources of this host, in the order in which apt reads them.
    static func ofHost(directory: String = "/etc/apt") -> AptSources {
        var sources = AptSources()
        func text(_ path: String) -> String? {
            (try? Files.read(path, limit: 1 << 20)).map { String(decoding: $0, as: UTF8.self) }
        }
        if let list = text("\(directory)/sources.list") { sources.addList(list) }
        for name in Files.list("\(directory)/sources.list.d") {
            guard let content = text("\(directory)/sources.list.d/\(name)") else { continue }
            if name.hasSuffix(".list") { sources.addList(content) }
            if name.hasSuffix(".sources") { sources.addDeb822(content) }
        }
        return sources
    }
}
