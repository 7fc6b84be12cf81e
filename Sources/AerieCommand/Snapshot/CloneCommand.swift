internal import Aerie
internal import AerieMachines
internal import ArgumentParser
internal import ControlAPI
internal import Runtime

struct CloneCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clone",
        abstract: "Make a copy of a machine that does not run.",
        discussion: """
            The copy has the machine's settings and a disk of its own that begins as the machine's, and no published ports. It is not \
            started. At its first start it boots with its own host name. Prints the copy's name.

            Example:
              aerie clone build --name build-2
              aerie start build-2
            """)

    @OptionGroup var machine: OneMachine
    @Option(help: ArgumentHelp("The copy's name (default: the machine's, and a number).", valueName: "name"))
    var name: String?
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let machine = try machine.find()
        guard !machine.isRunning else {
            throw AerieError(
                .usage, asked: "cloning machine '\(machine.record.name)'", found: "it is running",
                advice: "stop it first, or use 'aerie fork'")
        }
        let directory = try userMachines()
        let name = name ?? MachineFork.free(1, prefix: machine.record.name, in: directory)[0]
        try userSnapshots().withTemporary(of: machine.record) { work in
            try SnapshotFiles.save(machine, to: work)
        } _: { snapshot, _ in
            let restoring = SnapshotRestoring(
                snapshot: snapshot, directory: directory, starter: try MachineStarting.starter, takesPlace: false)
            print(try restoring.make(name: name).record.name)
        }
    }
}
