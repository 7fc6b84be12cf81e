internal import AerieMachines
internal import ArgumentParser
internal import Runtime

struct StopCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stop",
        abstract: "Let machines power off, and kill those that do not.",
        discussion: """
            Returns when the machines have ended. A machine that does not run is left alone.

            Example:
              aerie stop --time 30 build
            """)

    @OptionGroup var time: StopTime
    @OptionGroup var selection: MachineSelection
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let seconds = try time.seconds()
        try selection.forEach(all: { $0.isRunning }) { try MachineEnding.stop($0, seconds: seconds) }
    }
}
