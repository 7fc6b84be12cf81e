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
            With --signal TERM, the guest is asked to power off, and its end is not waited for.

            Examples:
              aerie kill build
              aerie kill --signal TERM build
            """)

    @Option(
        name: [.short, .long],
        help: ArgumentHelp("KILL (default) or TERM, also with SIG before it.", valueName: "signal"))
    var signal: String?

    @OptionGroup var selection: MachineSelection
    @OptionGroup var verbosity: VerbosityOptions

    func run() throws {
        let endsInOrder = try self.endsInOrder()
        try selection.forEach(all: { $0.isRunning }) { machine in
            guard machine.isRunning else {
                throw AerieError(
                    .usage, asked: "machine '\(machine.record.name)'", found: "it is not running",
                    advice: "start it with 'aerie start'")
            }
            if endsInOrder { try MachineEnding.requestPowerOff(machine) } else { try MachineEnding.kill(machine) }
        }
    }

    private func endsInOrder() throws(AerieError) -> Bool {
        switch signal?.uppercased() {
        case nil, "KILL", "SIGKILL", "9": return false
        case "TERM", "SIGTERM", "15": return true
        default:
            throw AerieError(
                .usage, asked: "--signal \(signal ?? "")", found: "a machine does not know this signal",
                advice: "use KILL or TERM; 'aerie exec NAME kill' sends signals to processes in the guest")
        }
    }
}
