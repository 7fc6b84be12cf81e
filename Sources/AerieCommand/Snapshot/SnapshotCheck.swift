internal import ArgumentParser
internal import Runtime

struct SnapshotCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Compare the memory of snapshots with their checksums.",
        discussion: """
            A restore does it by itself when the file has changed since the snapshot was made. This verb finds what the storage has \
            altered, too.

            Example:
              aerie snapshot check before-upgrade
            """)

    @OptionGroup var selection: SnapshotSelection
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws { try selection.forEach { try $0.check() } }
}
