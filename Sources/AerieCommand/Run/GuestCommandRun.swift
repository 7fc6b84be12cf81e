internal import Aerie
internal import AerieMachines
internal import AgentClient
internal import AgentProtocol
internal import ControlAPI
internal import Glibc
internal import HostSystem
internal import Runtime

/// `aerie run IMAGE COMMAND`: a machine that runs one command, whose streams and exit code are this program's.
///
/// The guest's console has no part in it, unless the command is on a terminal: that is the console then, which this program may leave. The
/// machine ends when the command does, and when this program does.
struct GuestCommandRun {
    /// Seconds that a guest has to start its agent, and to come as far as its init's own programs.
    private static let startLimit: UInt64 = 600
    /// Nanoseconds for the end of a machine whose guest has gone.
    private static let endLimit: UInt64 = 2_000_000_000

    let made: MachineMaking.Made
    let request: CommandRequest
    /// Nil for a command that does not get the user's SSH agent.
    var sshAgent: SSHAgentForwarding?
    /// Nil for a guest that boots.
    var instant: InstantStart?
    /// Made of the guest behind its command.
    var snapshot: ExitSnapshot?

    /// Returns the exit code.
    ///
    /// - Throws: `InstantStart.Failure` when the machine did not go on from its image's snapshot; the command did not run.
    func run() throws -> Int32 {
        if isAtConsole { return try runAtConsole() }
        let machine = made.machine
        let attendance: MachineProgram.Attendance
        do {
            attendance = try start()
        } catch {
            if machine.record.removesAtEnd { try? StateDirectory(of: machine).remove(machine) }
            try giveUpSnapshot(error)
            throw error
        }
        let ending = try MachineEndWait(machine)
        let code: Int32
        do {
            try prepare(machine)
            code = try CommandRun(
                asked: "run \(machine.record.image?.reference ?? machine.record.name)", wait: AgentWait(),
                sshAgent: sshAgent
            ).run(request, through: MachineEndpoints.agent(of: machine))
        } catch let failure as InstantStart.Failure {
            throw failure
        } catch {
            // A guest that ended explains more than its connection.
            guard let end = ending.result(within: Self.endLimit) else { throw error }
            try finish(machine)
            if let cause = end.error { throw cause }
            return end.code
        }
        try snapshot?.makeUnlessMade(of: machine)
        try end(machine)
        // A machine that is kept has the exit code of its command, not of its guest, which has powered off in order.
        if !made.isTemporary { try? machine.note(exitCode: code) }
        try finish(machine)
        _ = consume attendance
        return code
    }

    private func start() throws(AerieError) -> MachineProgram.Attendance {
        try MachineProgram().startAttended(
            made.machine, lease: made.lease, commandIsLater: true, isForImage: made.isForImage)
    }

    /// Whether the command is for the guest's console. A snapshot at the end is of the guest as the command leaves it, and needs this program,
    /// and so does its SSH agent.
    private var isAtConsole: Bool {
        request.hasTerminal && Terminal.areStandardStreams && sshAgent == nil && snapshot == nil
    }

    private func runAtConsole() throws -> Int32 {
        try AttendedRun(made.machine, snapshot: nil).run(
            isTemporary: made.isTemporary,
            start: {
                do {
                    return MachineStarter.Attendance(try start())
                } catch {
                    try giveUpSnapshot(error)
                    throw error
                }
            }, prepare: prepare, begin: ConsoleCommand(request: request).start)
    }

    /// A machine that has ended leaves its snapshot behind, if one is wanted, and goes.
    private func finish(_ machine: Machine) throws {
        guard let snapshot else { return }
        try machine.waitForEnd()
        try snapshot.makeUnlessMade(of: machine)
        if made.isTemporary { try StateDirectory(of: machine).remove(machine) }
    }

    /// Brings the guest as far as its command.
    private func prepare(_ machine: Machine) throws {
        switch made.plan {
        case .boots: try waitForSystem(machine)
        case .isSaved(let key):
            try waitForSystem(machine)
            instant?.save(machine, as: key)
        case .goesOn(let snapshot):
            do {
                // As a guest that boots, it has the host name of its image.
                let record = snapshot.record
                try MachineIdentityRenewal(
                    setsHostname: false, setsMachineID: record.hasMachineID, runsHooks: record.hasHooks
                ).run(machine)
            } catch {
                try? MachineEnding.kill(machine)
                try giveUpSnapshot(error)
            }
        }
    }

    /// A guest that boots may do what one from a snapshot did not.
    private func giveUpSnapshot(_ error: any Error) throws {
        guard case .goesOn(let snapshot) = made.plan else { return }
        // A port that another program has, for example, is no fault of the snapshot.
        if (error as? AerieError)?.category != .unavailable { instant?.store.remove(snapshot) }
        throw InstantStart.Failure(cause: error)
    }

    /// Waits until the guest's init has come to the program at its console.
    private func waitForSystem(_ machine: Machine) throws {
        let parameters = ["timeout": JSONValue(Self.startLimit)]
        let deadline = HostClock.monotonic() &+ Self.startLimit * 1_000_000_000
        let answer = try? ControlClient(machine).call(.waitForAgent, parameters)
        guard answer?["ready"] == .boolean(true) else { throw lateStart(machine) }
        let client = AgentClient(MachineEndpoints.agent(of: machine))
        while try client.status(of: Array(GuestBootWords.mark.utf8), followsLinks: false) == nil {
            guard HostClock.monotonic() < deadline else { throw lateStart(machine) }
            usleep(10_000)
        }
    }

    private func lateStart(_ machine: Machine) -> AerieError {
        AerieError(
            .notStarted, asked: "the command for the guest",
            found: machine.isRunning
                ? "the guest has not come up within \(Self.startLimit) s" : "the guest ended before it could run it",
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
