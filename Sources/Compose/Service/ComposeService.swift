/// A service of a project: a machine as a project file describes it.
package struct ComposeService: Equatable, Sendable {
    package let name: String
    package let place: ComposePlace
    /// In the order of the file, without `command`.
    package internal(set) var settings: [ComposeSetting] = []
    /// The words that the guest runs, and what they run with; without words, the image's shell.
    package internal(set) var process = GuestCommand()
    /// The networks of the project whose addresses and names the service has.
    package internal(set) var attachments: [ComposeAttachment] = []
    /// Whether the service has a way out, through a user network.
    package internal(set) var hasWayOut = false
    package internal(set) var dependencies: [ComposeDependency] = []
    /// A restart policy as `--restart` takes it.
    package internal(set) var restart = "no"
    /// The user's labels.
    package internal(set) var labels: [String: String] = [:]
    package internal(set) var healthCheck: ComposeHealthCheck?

    init(name: String, place: ComposePlace) {
        self.name = name
        self.place = place
    }

    /// A digest of everything that makes the machine. The order of fields does not matter, nor the form in which a value is written.
    ///
    /// Dependencies are left out: they say when a machine starts, not what it is.
    package var definition: String {
        var print = Fingerprint()
        // The digest of another version of this function differs.
        print.add("2")
        // The order within a list counts, and a sort of indices keeps it.
        for index in settings.indices.sorted(by: { (settings[$0].name, $0) < (settings[$1].name, $1) }) {
            print.add(settings[index].name)
            switch settings[index].value {
            case .text(let text): print.add(text)
            case .flag(let flag): print.add(flag ? "true" : "false")
            }
        }
        for group in [
            process.digestTexts, attachments.flatMap(\.texts) + (hasWayOut ? ["out"] : []), [restart],
            labels.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] },
        ] {
            print.add("\(group.count)")
            for text in group { print.add(text) }
        }
        for text in healthCheck?.texts ?? [] { print.add(text) }
        return print.text
    }
}
