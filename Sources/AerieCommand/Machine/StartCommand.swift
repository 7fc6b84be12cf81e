internal import ArgumentParser
internal import Runtime

struct StartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "start",
        abstract: "Start machines in the background.",
        discussion: """
            Returns when the guests run. A machine that runs already is left alone. The command of a machine runs again, at the guest's console.

            Example:
              aerie start build
            """)

    @OptionGroup var selection: MachineSelection
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        try selection.forEach(all: { !$0.isRunning }) { machine in
            // As podman does: it is there, which is what was asked for.
            if !machine.isRunning { try MachineStarting.start(machine) }
        }
    }
}
