/// Where the packages of an image come from, at its build and later in its guest.
struct PackageSources: Equatable, Sendable {
    /// The archive's address.
    var archive: String
    /// Whether the archive has a suite `SUITE-updates` as well.
    var hasUpdates = false
    /// The address of the archive with the suite `SUITE-security`.
    var security: String?

    /// An archive that the user named: nothing is known of it beyond the suite.
    init(mirror: String) {
        archive = mirror
    }

    /// The archive of the host's own sources; nil when they name none of Debian.
    init?(_ sources: AptSources) {
        guard let archive = sources.debianMirror else { return nil }
        self.archive = archive
        hasUpdates = sources.entries.contains { $0.address == archive && $0.suite.hasSuffix("-updates") }
        security = sources.debianSecurity
    }

    /// The guest's package sources, in the deb822 style.
    func text(suite: String) -> String {
        let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
        func paragraph(_ uri: String, _ suites: String) -> String {
            "Types: deb\nURIs: \(uri)\nSuites: \(suites)\nComponents: main\nSigned-By: \(keyring)\n"
        }
        // These suites are never released, so they have no updates of their own.
        if ["sid", "unstable", "experimental"].contains(suite) { return paragraph(archive, suite) }
        return paragraph(archive, hasUpdates ? "\(suite) \(suite)-updates" : suite)
            + (security.map { "\n" + paragraph($0, "\(suite)-security") } ?? "")
    }
}
