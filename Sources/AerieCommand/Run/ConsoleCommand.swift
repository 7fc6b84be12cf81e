internal import Aerie
internal import AerieMachines
internal import AgentClient
internal import AgentProtocol
internal import ControlAPI
internal import Runtime

/// The command of a machine whose guest is up and waits for it at its console.
///
/// The console keeps the command when this program leaves it, and the guest ends with the command, whose code is the machine's.
struct ConsoleCommand {
    /// Nanoseconds for the guest to take the command.
    private static let limit: UInt64 = 60_000_000_000

    let request: CommandRequest

    /// Starts the command. The console has its output from here on.
    func start(in machine: Machine) throws(AgentVerbError) {
        let asked = "run \(machine.record.image?.reference ?? machine.record.name)"
        guard let record = request.message(nil).record else {
            throw AgentVerbError(
                AerieError(
                    .usage, asked: asked,
                    found: "the command has more than \(AgentLimits.payload) bytes or \(AgentLimits.fields) words",
                    advice: "put what is long into a file, and share its directory (--share)"))
        }
        let client = AgentClient(MachineEndpoints.agent(of: machine))
        let end: CommandEnd?
        do throws(AgentError) {
            try client.write(record, to: GuestBootWords.record, mode: 0o600)
            let words = ["/bin/sh", "-c", "[ -p \(GuestBootWords.start) ] && echo >\(GuestBootWords.start)"]
            end = try client.run(CommandRequest(arguments: words), limit: Self.limit)
        } catch { throw AgentVerbError(asked: asked, error, runsCommand: true) }
        guard end?.code == 0 else {
            throw AgentVerbError(
                AerieError(
                    .notStarted, asked: asked, found: "the guest's console does not wait for a command",
                    advice: "the command did not run; use 'aerie run --detach' and 'aerie exec -it'"))
        }
    }
}
