internal import AerieMachines
internal import ArgumentParser
internal import Runtime

struct RemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Remove machines, with their disks.",
        discussion: """
            A running machine is removed with --force only, which kills it.

            Example:
              aerie rm build
            """)

    @Flag(name: [.short, .long], help: "Kill machines that run.")
    var force = false

    @OptionGroup var selection: MachineSelection
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        try selection.forEach(all: { force || !$0.isRunning }) { machine in
            if force { try MachineEnding.kill(machine) }
            // A machine that removes itself at its end is gone by now.
            if force, machine.isGone { return }
            try userMachines().remove(machine)
        }
    }
}
