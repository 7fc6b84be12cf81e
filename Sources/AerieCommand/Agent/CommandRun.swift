internal import AerieMachines
internal import AgentClient
internal import AgentProtocol
internal import Glibc
internal import HostSystem

/// A command in a guest on this program's standard streams: what `exec` does, and `run` with a command.
struct CommandRun {
    /// The request, for error lines.
    let asked: String
    let wait: AgentWait
    /// Nil for a command that does not get the user's SSH agent.
    var sshAgent: SSHAgentForwarding?

    /// Returns the command's exit code. Ends this process by a signal where the command's own end would.
    func run(
        _ request: CommandRequest, through connector: any AgentConnector, streams: RelayStreams = RelayStreams()
    ) throws(AgentVerbError) -> Int32 {
        let outcome: CommandOutcome
        do throws(AgentError) {
            var request = request
            // It ends with this process.
            _ = try sshAgent?.begin(for: &request, through: connector, listener: connector, wait: wait)
            outcome = try CommandRelay.run(request, through: connector, wait: wait, streams: streams)
        } catch {
            throw AgentVerbError(asked: asked, error, runsCommand: true)
        }
        switch outcome {
        case .ended(let end): return end.code
        case .detached:
            // The cursor stands behind the command's last output.
            StandardError.write(
                "\(StandardError.isTerminal ? "\n" : "")aerie: \(asked): detached; the command got SIGHUP\n")
            return 0
        case .outputClosed: SignalWatch.end(by: SIGPIPE)
        case .interrupted(let signal): SignalWatch.end(by: signal)
        }
    }
}
