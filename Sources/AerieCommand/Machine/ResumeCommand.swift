internal import ArgumentParser
internal import ControlAPI
internal import Runtime

struct ResumeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume",
        abstract: "Let the guests of paused machines run again.",
        discussion: """
            The guest's clock is set to the host's, if its agent runs.

            Example:
              aerie resume build
            """,
        aliases: ["unpause"])

    @OptionGroup var selection: MachineSelection
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        try selection.forEach(all: { $0.status.state == .paused }) { try $0.resume() }
    }
}
