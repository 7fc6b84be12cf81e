internal import Aerie
internal import ArgumentParser
internal import MachineSession
internal import Runtime

struct AttachCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "attach",
        abstract: "Connect this terminal with a machine's console.",
        discussion: """
            The console's latest output comes first. Ctrl-P Ctrl-Q, or Ctrl-] three times within a second, detaches: the machine goes on. \
            When the machine ends, its exit code is this program's.

            Example:
              aerie attach build
            """)

    @Flag(help: "Leave out what was written before.")
    var noRecent = false

    @OptionGroup var machine: OneMachine
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let machine = try machine.find()
        let code = try ConsoleAttachment(machine, withRecent: !noRecent).run()
        if code != 0 { throw ExitCode(code) }
    }
}
