internal import Aerie
internal import AgentClient
internal import ControlAPI
internal import Glibc
internal import HostSystem
internal import Runtime

/// `aerie run IMAGE COMMAND`: a machine that runs one command, whose streams and exit code are this program's.
///
/// The guest's console has no part in it. The machine ends when the command does, and when this program does.
struct GuestCommandRun {
    /// Seconds that a guest has to start its agent.
    private static let startLimit = 600

    let made: MachineMaking.Made
    let request: CommandRequest

    /// Returns the exit code.
    func run() throws -> Int32 {
        let machine = made.machine
        let attendance: MachineProgram.Attendance
        do {
            attendance = try MachineProgram().startAttended(machine, lease: made.lease)
        } catch {
            if machine.record.removesAtEnd { try? StateDirectory(of: machine).remove(machine) }
            throw error
        }
        try waitForAgent(machine)
        let code = try CommandRun(
            asked: "run \(machine.record.image?.reference ?? machine.record.name)", wait: AgentWait()
        ).run(request, through: MachineEndpoints.agent(of: machine))
        try end(machine)
        _ = consume attendance
        return code
    }

    private func waitForAgent(_ machine: Machine) throws(AerieError) {
        let parameters = ["timeout": JSONValue(Self.startLimit)]
        let answer = try? ControlClient(machine).call(.waitForAgent, parameters)
        guard answer?["ready"] != .boolean(true) else { return }
        throw AerieError(
            .notStarted, asked: "the command for the guest",
            found: machine.isRunning
                ? "the guest's agent does not answer" : "the guest ended before it could run it",
            advice: "the command did not run; without a command, the guest's console shows more")
    }

    /// A guest whose changes nobody will see need not power off in order.
    private func end(_ machine: Machine) throws(AerieError) {
        let configuration = machine.record.configuration
        let keepsChanges =
            configuration.disks.contains { $0.access == .readWrite }
            || configuration.shares.contains { $0.access == .readWrite }
        if keepsChanges {
            try MachineEnding.stop(machine, seconds: nil)
        } else {
            try MachineEnding.kill(machine)
        }
    }
}
