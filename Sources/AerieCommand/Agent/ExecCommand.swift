internal import AerieMachines
internal import AgentClient
internal import ArgumentParser
internal import HostSystem

struct ExecCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec",
        abstract: "Run a command in a running guest.",
        usage: "aerie exec [<options>] <name> <command> ...",
        discussion: """
            Examples:
              aerie exec web uname -a
              aerie exec -it web bash
              echo data | aerie exec -i web sh -c 'cat >/tmp/file'
              aerie exec -e LANG=C -w /srv -u www-data web ./run.sh

            Options of aerie stand before NAME. All words from COMMAND on are the command's. Without -i, its standard input is \
            empty. Signals to this program (SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGTSTP, SIGUSR1, SIGUSR2) go to the command; a \
            third one that ends, without an answer in between, ends this program, and so does one that a dead guest does not \
            answer. With -it, ctrl-p ctrl-q leaves the command, \
            which gets SIGHUP.

            Exit codes: the command's own; 128 and the signal's number when a signal ended it; 126 when the guest cannot execute \
            the command, 127 when it has no such command; 125 when the agent could not be reached or the connection was lost, with \
            a line that says whether the command may have run.
            """)

    @Flag(name: [.customShort("i"), .long], help: "Give the command this program's standard input.")
    var interactive = false

    @Flag(name: [.customShort("t"), .long], help: "Give the command a terminal.")
    var tty = false

    @Flag(
        name: [.customShort("d"), .long],
        help: "Leave the command to itself when it has started; it has no input and its output is dropped.")
    var detach = false

    @Option(
        name: [.customShort("e"), .long], parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Set a variable of the command's environment; without =V, to its value here. Repeatable.",
            valueName: "K[=V]"))
    var env: [String] = []

    @Option(
        help: ArgumentHelp("Read variables from this file, K=V or K on each line. Repeatable.", valueName: "file"))
    var envFile: [String] = []

    @Option(
        name: [.customShort("w", allowingJoined: true), .long],
        help: ArgumentHelp("Start the command in this directory (default: the user's home).", valueName: "directory"))
    var workdir: String?

    @Option(
        name: [.customShort("u", allowingJoined: true), .long],
        help: ArgumentHelp(
            "Run the command as this user of the guest, as NAME|UID[:GROUP|GID] (default: root).", valueName: "user"))
    var user: String?

    @Option(
        help: ArgumentHelp("The keys that leave the command (default: ctrl-p,ctrl-q); '' for none.", valueName: "keys"))
    var detachKeys: String?

    @Flag(help: "Let the command use this user's SSH agent, that of SSH_AUTH_SOCK, while it runs.")
    var ssh = false

    @OptionGroup var agent: AgentOptions
    @OptionGroup var verbosity: VerbosityOptions

    @Argument(help: "The machine.")
    var name: String

    @Argument(parsing: .postTerminator, help: "The command and its arguments.")
    var command: [String] = []

    func run() throws {
        let request = try self.request()
        var streams = RelayStreams()
        if let detachKeys { streams.detachKeys = try DetachKeys(option: detachKeys) }
        let sshAgent = ssh ? try SSHAgentForwarding() : nil
        let code = try CommandRun(asked: "exec \(name)", wait: try agent.limit(), sshAgent: sshAgent)
            .run(request, through: try MachineEndpoints.agent(named: name), streams: streams)
        if code != 0 { throw ExitCode(code) }
    }

    private func request() throws(AgentVerbError) -> CommandRequest {
        guard let program = command.first, !program.isEmpty else {
            throw AgentVerbError(
                .usage, asked: "exec \(name)", found: "a command is missing", advice: "see 'aerie help exec'")
        }
        var request = CommandRequest(arguments: command)
        var variables = CommandEnvironment()
        for file in envFile { try variables.add(file: file) }
        for variable in env { try variables.add(variable, asked: "--env") }
        request.environment = variables.values
        if tty { request.environment.insert(contentsOf: CommandEnvironment.terminal, at: 0) }
        request.directory = workdir
        request.user = user
        request.hasTerminal = tty
        request.hasInput = interactive
        if detach { try detach(&request) }
        return request
    }

    /// A command ends with its connection, so that the guest's shell starts one that shall not.
    private func detach(_ request: inout CommandRequest) throws(AgentVerbError) {
        guard !tty, !interactive, !ssh else {
            let found = ssh ? "--ssh ends with this program, before the command" : "--detach has no use for -i and -t"
            throw AgentVerbError(.usage, asked: "exec --detach \(name)", found: found, advice: "leave one out")
        }
        let script = "command -v -- \"$0\" >/dev/null || exit 127; \"$0\" \"$@\" </dev/null >/dev/null 2>&1 &"
        request.arguments = ["/bin/sh", "-c", script] + request.arguments
    }
}
