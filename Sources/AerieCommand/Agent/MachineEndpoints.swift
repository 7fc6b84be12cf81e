internal import Aerie
internal import AgentClient
internal import Glibc
internal import HostSystem
internal import Runtime

/// The ways to the agents of machines.
enum MachineEndpoints {
    /// The way to a machine's agent.
    ///
    /// - Parameter name: a machine's name or ID, or the path of the socket that `aerie run --vsock` made; a path without a slash is
    ///   looked at where there is no machine of that name.
    static func agent(named name: String) throws -> any AgentConnector {
        if name.contains("/") { return SocketConnector(path: name) }
        let machine: Machine
        do throws(AerieError) {
            machine = try userMachines().find(name)
        } catch {
            guard !name.isEmpty, access(name, F_OK) == 0 else { throw error }
            return SocketConnector(path: name)
        }
        guard machine.isRunning else {
            throw AgentVerbError(
                .noMachine, asked: "machine '\(name)'", found: "it is not running",
                advice: "'aerie start \(name)' starts it")
        }
        return MachineConnector(machine: machine)
    }
}

/// Connects to the agent of a machine that is kept.
private struct MachineConnector: AgentConnector {
    let machine: Machine

    var hasEnded: Bool { !machine.isRunning }

    func connect(by deadline: UInt64) throws(ConnectFailure) -> FileDescriptor {
        do throws(ConnectFailure) {
            return try SocketConnector(path: machine.file(Machine.socketName)).connect(by: deadline)
        } catch .noMachine where !hasEnded {
            // The machine has not come as far as to make the socket.
            throw .notYet
        }
    }
}
