package import AgentClient
internal import ControlAPI
package import HostSystem
package import Runtime

/// Connects to the agent of a machine that is kept, and gives up when the machine has ended.
package struct MachineConnector: AgentConnector {
    let machine: Machine

    package init(machine: Machine) { self.machine = machine }

    package var standsStill: Bool { machine.status.state == .paused }

    package func connect(greeting: [UInt8], by deadline: UInt64) throws(ConnectFailure) -> FileDescriptor {
        let path = machine.record.configuration.sockets?.path ?? machine.file(Machine.socketName)
        do throws(ConnectFailure) {
            return try SocketConnector(path: path).connect(greeting: greeting, by: deadline)
        } catch {
            guard machine.isRunning else {
                let reason = machine.status.error.map { " (\($0))" } ?? ""
                throw .noMachine("machine '\(machine.record.name)' has ended\(reason)")
            }
            // The socket is there when the machine's process has made it.
            if case .noMachine = error { throw .notYet }
            throw error
        }
    }
}
