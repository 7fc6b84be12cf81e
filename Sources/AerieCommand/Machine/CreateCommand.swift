internal import Aerie
internal import ArgumentParser
internal import ControlAPI
internal import MachineSession
internal import Runtime

struct CreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create",
        abstract: "Make a machine without starting it.",
        usage: "aerie create [<options>] [<image> [<command> ...]]",
        discussion: """
            The options are those of 'aerie run'. A COMMAND runs at the guest's console at each start, with the variables, the directory and the \
            user that are given here. The changes to the image's disk are kept with the machine until it is removed. Prints \
            the machine's ID.

            Example:
              aerie create --name build --cpus 4 --memory 2G debian
              aerie start build
              aerie create --name web -e PORT=80 -w /srv -u www-data debian ./serve
            """,
        helpNames: .long)

    @OptionGroup var options: RunOptions
    @OptionGroup var machine: MachineOptions
    @OptionGroup var command: GuestCommandOptions
    @OptionGroup var verbosity: VerbosityOptions

    func run() async throws {
        var settings = try options.completeSettings()
        try machine.complete(&settings)
        let commandSettings = try command.consoleSettings(&settings)
        var making = MachineMaking(
            settings: settings, identity: try machine.identity(), isTemporary: machine.removesAtEnd,
            arguments: Array(CommandLine.arguments.dropFirst()))
        making.commandSettings = commandSettings
        print(try await making.run().machine.record.id)
    }
}
