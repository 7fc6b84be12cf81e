internal import ArgumentParser
internal import ControlAPI
internal import Runtime

struct SnapshotCreate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Save a machine: processors, memory, devices and its disk.",
        discussion: """
            A machine that runs goes on meanwhile, and stands still for a moment at the end. Of one that does not run, the disk is saved. \
            Disks of --disk and shared folders are not a part of the snapshot. Prints the snapshot's name.

            A machine that was saved before, or restored, has a snapshot that stores only the memory that differs from the earlier one's. \
            Either one can be removed without harm to the other.

            Example:
              aerie snapshot create build before-upgrade
              aerie restore before-upgrade --name again
            """)

    @OptionGroup var machine: OneMachine
    @Argument(help: ArgumentHelp("The snapshot's name (default: the machine's, and a number).", valueName: "snapshot"))
    var name: String?
    @Flag(help: "Store all of the memory, also what an earlier snapshot has.")
    var full = false
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let machine = try machine.find()
        let snapshot = try userSnapshots().create(name: name, of: machine.record, isFull: full) { work in
            try SnapshotFiles.save(machine, to: work)
        }
        print(snapshot.record.name)
    }
}
