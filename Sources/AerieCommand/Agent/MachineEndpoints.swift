internal import Aerie
internal import AerieMachines
internal import AgentClient
internal import ControlAPI
internal import Glibc
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
            throw AgentVerbError(error)
        }
        guard machine.record.hasAgent else {
            throw AgentVerbError(
                .noMachine, asked: "machine '\(name)'",
                found: "its guest was not started from an image of Aerie, and has no agent",
                advice: "use 'aerie attach'")
        }
        guard machine.isRunning else {
            throw AgentVerbError(
                .noMachine, asked: "machine '\(name)'", found: "it is not running",
                advice: "start it with 'aerie start \(name)'")
        }
        guard machine.status.state != .paused else {
            throw AgentVerbError(
                .noMachine, asked: "machine '\(name)'", found: "it is paused",
                advice: "let it go on with 'aerie resume \(name)'")
        }
        return agent(of: machine)
    }

    /// The way to the agent of a machine that has one.
    static func agent(of machine: Machine) -> any AgentConnector { MachineConnector(machine: machine) }
}
