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
/// The guest's console has no part in it. The machine ends when the command does, and when this program does.
struct GuestCommandRun {
    /// Seconds that a guest has to start its agent, and to come as far as its init's own programs.
    private static let startLimit: UInt64 = 600
    /// Nanoseconds for the end of a machine whose guest has gone.
    private static let endLimit: UInt64 = 2_000_000_000

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
        let ending = try MachineEndWait(machine)
        let code: Int32
        do {
            try waitForSystem(machine)
            code = try CommandRun(
                asked: "run \(machine.record.image?.reference ?? machine.record.name)", wait: AgentWait()
            ).run(request, through: MachineEndpoints.agent(of: machine))
        } catch {
            // A guest that ended explains more than its connection.
            guard let end = ending.result(within: Self.endLimit) else { throw error }
            if let cause = end.error { throw cause }
            return end.code
        }
        try end(machine)
        _ = consume attendance
        return code
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

/// Waits for the end of a machine on a thread of its own.
private final class MachineEndWait: Sendable {
    struct Result: Sendable {
        let code: Int32
        let error: AerieError?
    }

    private let end = Monitor<Result?>(nil)

    init(_ machine: Machine) throws(AerieError) {
        let client = try ControlClient(machine)
        do throws(SystemError) {
            _ = try HostThread(name: "machine-end") { [end] in
                guard let answer = try? client.call(.wait) else { return }
                let error = answer["error"].flatMap { AerieError(json: $0) }
                end.update { $0 = Result(code: Int32(answer["code"]?.integer ?? 0), error: error) }
            }
        } catch { throw AerieError(opening: "waiting for the machine", error) }
    }

    /// - Parameter limit: nanoseconds.
    func result(within limit: UInt64) -> Result? {
        end.wait(until: HostClock.monotonic() &+ limit) { $0 }
    }
}
