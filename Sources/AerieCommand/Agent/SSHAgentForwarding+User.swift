internal import AerieMachines
internal import Aerie
internal import Glibc

/// `--ssh`: the agent of the user who runs this program.
extension SSHAgentForwarding {
    /// - Throws: a usage error where the user has no SSH agent.
    init() throws(AgentVerbError) {
        guard let path = getenv(Self.variable).map({ String(cString: $0) }), !path.isEmpty else {
            throw AgentVerbError(
                .usage, asked: "--ssh", found: "\(Self.variable) is not set", advice: Self.advice)
        }
        do throws(AerieError) { self = try SSHAgentForwarding(path: path, asked: "--ssh") } catch {
            throw AgentVerbError(error)
        }
    }
}
