internal import AgentClient

extension VirtualMachine: AgentMachine {
    /// The way to the guest's agent, over the machine's `Configuration.sockets`.
    ///
    /// - Throws: `usage` for a machine without sockets. A guest that has no agent is found out by the first call only.
    public var agent: GuestAgent {
        get throws(AerieError) {
            guard let sockets = configuration.sockets else {
                throw AerieError(
                    .usage, asked: "the agent of a guest in this process", found: "the machine has no sockets",
                    advice: "set Configuration.sockets")
            }
            return GuestAgent(SocketConnector(path: sockets.path), name: "in this process")
        }
    }
}
