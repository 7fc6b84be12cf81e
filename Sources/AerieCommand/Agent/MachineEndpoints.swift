internal import AgentClient
internal import Glibc

/// The ways to the agents of machines.
enum MachineEndpoints {
    /// The way to a machine's agent.
    ///
    /// - Parameter name: the path of the socket that `aerie run --vsock` made.
    static func agent(named name: String) throws(AgentVerbError) -> any AgentConnector {
        guard !name.isEmpty else {
            throw AgentVerbError(
                .usage, asked: "a machine", found: "its name is empty", advice: "give the machine's name")
        }
        guard name.contains("/") || access(name, F_OK) == 0 else {
            throw AgentVerbError(
                .noMachine, asked: name, found: "there is no such machine",
                advice: "give the path of the socket of 'aerie run --vsock PATH'")
        }
        return SocketConnector(path: name)
    }
}
