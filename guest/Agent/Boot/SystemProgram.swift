import Support

/// The init of the system on the root disk.
struct SystemProgram {
    enum Kind: Equatable {
        /// The agent itself, on a system without an init.
        case agent
        case systemd
        /// Our own; `expectsMounts` for one that leaves the file systems of a start to `InitialRamdisk` (not so before 2026-12).
        case own(expectsMounts: Bool)
        case other
    }

    /// Tells our own init that its file systems are there, and by the words in it what else is: `agent`, `network`.
    static let mark: StaticString = "/run/aerie/begun"
    private static let own: StaticString = "/usr/lib/aerie/init"

    let path: [UInt8]
    let kind: Kind

    /// The program that the command line names, nil if it is not there; or the first of the usual ones.
    static func find(_ words: BootWords) -> SystemProgram? {
        let candidates = words.program.map { [$0] } ?? [[UInt8](own), [UInt8]("/sbin/init")]
        for path in candidates where isPresent(path) { return SystemProgram(path: path, kind: kind(path)) }
        guard words.program == nil else { return nil }
        return SystemProgram(path: [UInt8](AgentFiles.agent), kind: .agent)
    }

    /// Whether a unit of an image of ours runs `aerie-agent --networks` (not so before 2026-12).
    static var unitConfiguresCards: Bool {
        let unit = inRoot([UInt8]("/etc/systemd/system/multi-user.target.wants/aerie-network.service"))
        let program = inRoot([UInt8]("/usr/lib/aerie/network"))
        let masked = FileFacts.readLink(inRoot([UInt8]("/etc/systemd/system/aerie-network.service"))) != nil
        guard !masked, (try? FileFacts.statx(unit, followsLinks: false)) != nil else { return false }
        return FileAccess.contents(program, limit: 4096)?.contains("--networks") ?? false
    }

    private static func inRoot(_ path: [UInt8]) -> [UInt8] {
        var place = RootDisk.place
        place.add(FileFacts.absolute(path))
        return place
    }

    /// A link may lead to what is there only after the change of the root.
    private static func isPresent(_ path: [UInt8]) -> Bool {
        let place = inRoot(path)
        if let facts = try? FileFacts.statx(place, followsLinks: false),
            FileFacts.kind(facts.mode) == .symbolicLink
        {
            return true
        }
        // X_OK
        return place.withCString { system(SystemCall.faccessat, OpenFlags.here, Int($0), 1) } == 0
    }

    private static func kind(_ path: [UInt8]) -> Kind {
        let place = inRoot(path)
        if let target = FileFacts.readLink(place), target.ends(withText: "systemd") { return .systemd }
        let text = FileAccess.contents(place, limit: 64 << 10) ?? []
        if text.contains(mark) { return .own(expectsMounts: true) }
        return text.contains("aerie/agent") ? .own(expectsMounts: false) : .other
    }
}
