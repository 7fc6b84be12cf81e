internal import AerieMachines
internal import ArgumentParser
internal import Runtime

struct RestartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restart",
        abstract: "Stop machines and start them again.",
        discussion: """
            Example:
              aerie restart build
            """)

    @OptionGroup var time: StopTime
    @OptionGroup var selection: MachineSelection
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let seconds = try time.seconds()
        try selection.forEach(all: { $0.isRunning }) { machine in
            try MachineEnding.stop(machine, seconds: seconds)
            try MachineStarting.start(machine)
        }
    }
}
