internal import AerieMachines
internal import ArgumentParser
internal import ControlAPI
internal import Runtime

struct RestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Make a machine from a snapshot, and let it go on in the background.",
        discussion: """
            The machine is a new one: it gets the right time, new random numbers, its own host name and machine ID, and a disk of its \
            own that begins as the snapshot's. Its vsock and network connections end. Prints the machine's ID.

            Example:
              aerie restore before-upgrade --name again
            """)

    @Argument(help: ArgumentHelp("The name or the ID of a snapshot.", valueName: "snapshot"))
    var snapshot: String
    @Option(help: ArgumentHelp("The machine's name (default: two words that are made up).", valueName: "name"))
    var name: String?
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let snapshot = try userSnapshots().find(snapshot)
        let restoring = SnapshotRestoring(
            snapshot: snapshot, directory: try userMachines(),
            starter: try MachineStarting.starter)
        _ = try restoring.start(name: name) { print($0.record.id) }
    }
}
