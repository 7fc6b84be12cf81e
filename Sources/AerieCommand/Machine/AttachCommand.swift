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
            A machine whose COMMAND runs on a terminal or in the background has it at its console. The console's latest output comes first. Ctrl-P Ctrl-Q, or Ctrl-] three times within a second, detaches: the machine goes on. \
            When the machine ends, its exit code is this program's.

            Example:
              aerie attach build
            """)

    /// Nanoseconds for the answer about the end of a machine whose console has ended.
    private static let endLimit: UInt64 = 2_000_000_000

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
        // One that is removed at its end leaves no status behind.
        let ending = try MachineEndWait(machine)
        var code = try ConsoleAttachment(machine, withRecent: !noRecent, detachKeys: keys).run()
        if code == 0, machine.isGone, let end = ending.result(within: Self.endLimit) { code = end.code }
        if code != 0 { throw ExitCode(code) }
    }
}
