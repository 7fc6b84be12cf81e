/// Reads what apt-get prints, in the C locale.
enum AptOutput {
    /// A package as a simulated installation names it: `Inst NAME [OLD] (VERSION SOURCE [ARCH])`.
    struct Package: Equatable, Sendable {
        var name: String
        var version: String
        var architecture: String

        /// The name that apt gives the downloaded file: colons of the version are escaped.
        var fileName: String {
            "\(name)_\(version.split(separator: ":", omittingEmptySubsequences: false).joined(separator: "%3a"))"
                + "_\(architecture).deb"
        }
    }

    /// The packages of `apt-get --simulate install`, in the order in which they are to be unpacked.
    static func simulatedPackages(_ lines: [String]) -> [Package] {
        lines.compactMap { line in
            guard line.hasPrefix("Inst "), let open = line.firstIndex(of: "("), let close = line.lastIndex(of: ")"),
                open < close
            else { return nil }
            let words = line.split(separator: " ")
            let inner = line[line.index(after: open)..<close].split(separator: " ")
            guard let version = inner.first, let last = inner.last, last.hasPrefix("["), last.hasSuffix("]") else {
                return nil
            }
            return Package(
                name: String(words[1].prefix { $0 != ":" }), version: String(version),
                architecture: String(last.dropFirst().dropLast()))
        }
    }

    /// The sum of the sizes that `apt-get --print-uris` lists: `'ADDRESS' FILE SIZE HASH` for what is not in the cache.
    static func downloadSize(_ lines: [String]) -> UInt64 {
        lines.reduce(0) { sum, line in
            let words = line.split(separator: " ")
            guard line.hasPrefix("'"), words.count >= 3, let size = UInt64(words[2]) else { return sum }
            return sum &+ size
        }
    }

    /// A line of apt's status descriptor: `dlstatus:FILE:PERCENT:TEXT`; the percentage, 0 to 100.
    static func downloadPercent(_ line: String) -> Double? {
        let parts = line.split(separator: ":", maxSplits: 3, omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "dlstatus", let percent = Double(parts[2]), percent.isFinite else {
            return nil
        }
        return min(max(percent, 0), 100)
    }

    /// The package that a line about a download names: `Get:N URI SUITE ARCH NAME ARCH VERSION [SIZE]`.
    static func downloadedItem(_ line: String) -> String? {
        let words = line.split(separator: " ")
        return line.hasPrefix("Get:") && words.count >= 5 ? String(words[4]) : nil
    }

    /// What to tell the user about a failed run of apt-get.
    ///
    /// - Parameter purpose: what was asked, such as `suite trixie of http://…`.
    static func failure(_ purpose: String, _ lines: [String]) -> ImageError {
        let text = lines.joined(separator: "\n")
        func says(_ phrases: String...) -> Bool { phrases.contains { text.contains($0) } }
        func line(_ phrase: String) -> String? { lines.first { $0.contains(phrase) } }
        let kind: ImageError.Kind
        let found: String

        // Every suite of Debian has the package apt.
        if says("doesn't support architecture") || lines.contains("E: Unable to locate package apt") {
            kind = .usage
            found = "it has no packages for this architecture; choose another suite"
        } else if let missing = line("Unable to locate package") ?? line("has no installation candidate")
            ?? line("Couldn't find any package by")
        {
            kind = .usage
            found = "\(stripped(missing)); check the package's name"
        } else if says("No space left on device", "enough free space", "Disk quota exceeded") {
            kind = .unavailable
            found = "the disk is full; free some space or set XDG_CACHE_HOME to a larger file system"
        } else if says("Mirror sync in progress", "Hash Sum mismatch") {
            kind = .unavailable
            found = "the mirror is being updated; try again in an hour, or name another with --mirror"
        } else if says("unmet dependencies", "held broken packages") {
            kind = .usage
            found = "these packages cannot be installed together; use --verbose for apt's reasons"
        } else if says(
            "Temporary failure resolving", "Could not resolve", "Could not connect", "Unable to connect",
            "Connection timed out", "Connection failed", "Connection refused", "Network is unreachable",
            "No route to host", "initiate the connection", "Error reading from server", "Connection reset",
            "Something wicked happened resolving")
        {
            kind = .unavailable
            found = "the mirror cannot be reached; check the network, or name another with --mirror"
        } else if says("NO_PUBKEY", "Missing key", "EXPKEYSIG", "is not signed", "couldn't be verified", "BADSIG") {
            kind = .unavailable
            found =
                "this host's Debian keyring cannot verify its signature; "
                + "upgrade the package debian-archive-keyring, or check --mirror"
        } else if says("is not valid yet", "is expired") {
            kind = .unavailable
            found = "its release file is not valid at this time; check this host's clock, or name another mirror"
        } else if says("does not have a Release file", "404  Not Found", "File not found") {
            kind = .usage
            found = "the mirror has no such suite; check the suite's name and --mirror"
        } else {
            kind = .unavailable
            found = stripped(lines.last { $0.hasPrefix("E: ") } ?? lines.last ?? "apt-get failed without a word")
        }
        return ImageError(kind, "\(purpose): \(found)", detail: text)
    }

    private static func stripped(_ line: String) -> String {
        line.hasPrefix("E: ") || line.hasPrefix("W: ") ? String(line.dropFirst(3)) : line
    }
}
