import Foundation
import GuestAgentPrograms
import GuestToolchain
import ScriptedAgent
import TestSupport

/// The agent for x86-64 guests as a program of this host, behind a socket such as a machine's: the program that a guest runs, without a
/// guest.
final class NativeAgent {
    /// Why there is none here; nil if there can be one.
    static var obstacle: String? {
        #if arch(x86_64)
            return geteuid() == 0 ? nil : "only root can run commands as root"
        #else
            return "the agent is built for x86_64 hosts"
        #endif
    }

    private let agent: ChildProgram
    private let bridge: AgentBridge

    /// - Parameter path: of the machine's socket.
    init(_ path: String, in directory: TemporaryDirectory) async throws {
        let program = try directory.program("agent", GuestAgentPrograms.program(.x86_64))
        let socket = directory.path("agent.sock")
        agent = try ChildProgram(program, ["--socket", socket], directory: "/")
        bridge = try AgentBridge(path, to: socket)
        guard await Patience.wait(until: { access(socket, F_OK) == 0 }) else { throw POSIXError(.ENOENT) }
    }

    deinit {
        bridge.stop()
        // The agent has nothing to put in order: its commands get SIGHUP from their terminals or end with their pipes.
        agent.kill()
    }
}
