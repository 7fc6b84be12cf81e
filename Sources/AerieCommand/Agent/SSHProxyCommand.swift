internal import AgentClient
internal import ArgumentParser
internal import Glibc

/// What ssh starts to reach a guest: `ssh-config` prints the line with it.
struct SSHProxyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ssh-proxy",
        abstract: "Connect standard input and output with a socket in a running guest.",
        discussion: """
            Example:
              ssh -o ProxyCommand='aerie ssh-proxy web' root@web
            """,
        shouldDisplay: false)

    @OptionGroup var target: SSHTarget
    @OptionGroup var agent: AgentOptions
    @OptionGroup var verbosity: VerbosityOptions

    @Argument(help: "The machine.")
    var name: String

    func run() throws {
        let request = try target.request()
        let client = AgentClient(try MachineEndpoints.agent(named: name), wait: try agent.limit())
        do throws(AgentError) {
            var relay = RawRelay(try client.forward(request), input: STDIN_FILENO, output: STDOUT_FILENO)
            try relay.run()
        } catch {
            throw AgentVerbError(asked: "ssh-proxy \(name)", error, code: 125)
        }
    }
}
