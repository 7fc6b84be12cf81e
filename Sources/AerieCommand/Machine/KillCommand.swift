internal import Aerie
internal import AerieMachines
internal import ArgumentParser
internal import ControlAPI
internal import Runtime

struct KillCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill",
        abstract: "End machines at once, as if their power were cut.",
        discussion: """
            Example:
              aerie kill build
            """)

    @OptionGroup var selection: MachineSelection
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        try selection.forEach { machine in
            guard machine.isRunning else {
                throw AerieError(
                    .usage, asked: "machine '\(machine.record.name)'", found: "it is not running",
                    advice: "start it with 'aerie start'")
            }
            try MachineEnding.kill(machine)
        }
    }
}
