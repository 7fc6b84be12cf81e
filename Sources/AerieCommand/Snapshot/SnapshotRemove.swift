internal import ArgumentParser
internal import Runtime

struct SnapshotRemove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Remove snapshots. Machines and snapshots that go on from them keep what they need.",
        discussion: """
            Example:
              aerie snapshot rm before-upgrade
            """)

    @OptionGroup var selection: SnapshotSelection
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let store = try userSnapshots()
        try selection.forEach { try store.remove($0) }
    }
}
