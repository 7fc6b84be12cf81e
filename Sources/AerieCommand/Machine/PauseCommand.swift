internal import ArgumentParser
internal import ControlAPI
internal import Runtime

struct PauseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause",
        abstract: "Let the guests of machines stand still.",
        discussion: """
            Example:
              aerie pause build
              aerie resume build
            """)

    @OptionGroup var selection: MachineSelection
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        try selection.forEach(all: { $0.status.state == .running }) { try $0.pause() }
    }
}
