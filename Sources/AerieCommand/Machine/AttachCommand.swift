internal import Aerie
internal import ArgumentParser
internal import HostSystem
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

    @Option(
        help: ArgumentHelp(
            "The keys that detach (default: ctrl-p,ctrl-q); '' for none but Ctrl-].", valueName: "keys"))
    var detachKeys: String?

    @OptionGroup var machine: OneMachine
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let keys = try detachKeys.map { try DetachKeys(option: $0) } ?? .usual
        let machine = try machine.find()
        let code = try ConsoleAttachment(machine, withRecent: !noRecent, detachKeys: keys).run()
        if code != 0 { throw ExitCode(code) }
    }
}
