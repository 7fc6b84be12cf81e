internal import Aerie
internal import AgentClient
internal import ControlAPI
internal import Glibc
internal import HostSystem
internal import Runtime

/// The ways to the agents of machines.
enum MachineEndpoints {
    /// The way to a machine's agent.
    ///
    /// - Parameter name: the name or the ID of a machine, or the path of the socket that `aerie run --vsock` made.
    static func agent(named name: String) throws(AgentVerbError) -> any AgentConnector {
        if name.contains("/"), access(name, F_OK) == 0 { return SocketConnector(path: name) }
        let machine: Machine
        do throws(AerieError) {
            machine = try userMachines().find(name)
        } catch {
            if !name.isEmpty, access(name, F_OK) == 0 { return SocketConnector(path: name) }
            throw AgentVerbError(.noMachine, asked: error.asked, found: error.found, advice: error.advice)
        }
        guard machine.record.hasAgent else {
            throw AgentVerbError(
                .noMachine, asked: "machine '\(name)'", found: "its guest is no image of Aerie, and has no agent",
                advice: "use 'aerie attach'")
        }
        guard machine.isRunning else {
            throw AgentVerbError(
                .noMachine, asked: "machine '\(name)'", found: "it is not running",
                advice: "start it with 'aerie start \(name)'")
        }
        return agent(of: machine)
    }

    /// The way to the agent of a machine that has one.
    static func agent(of machine: Machine) -> any AgentConnector { MachineConnector(machine: machine) }
}

/// Connects to the agent of a machine that is kept, and gives up when the machine has ended.
private struct MachineConnector: AgentConnector {
    let machine: Machine

    func connect(by deadline: UInt64) throws(ConnectFailure) -> FileDescriptor {
        let path = machine.record.configuration.sockets?.path ?? machine.file(Machine.socketName)
        do throws(ConnectFailure) {
            return try SocketConnector(path: path).connect(by: deadline)
        } catch {
            guard machine.isRunning else { throw .noMachine("machine '\(machine.record.name)' has ended") }
            // The socket is there when the machine's process has made it.
            if case .noMachine = error { throw .notYet }
            throw error
        }
    }
}
