internal import ArgumentParser
internal import Runtime

struct RenameCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rename",
        abstract: "Give a machine another name.",
        discussion: """
            Example:
              aerie rename gentle-heron build
            """)

    @OptionGroup var machine: OneMachine
    @Argument(help: ArgumentHelp("The new name.", valueName: "name"))
    var newName: String
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws { try userMachines().rename(try machine.find(), to: newName) }
}
