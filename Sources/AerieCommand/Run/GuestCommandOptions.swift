internal import Aerie
internal import AerieMachines
internal import AgentClient
internal import ArgumentParser
internal import Glibc
internal import HostSystem

/// How the command of `aerie run IMAGE COMMAND` runs.
struct GuestCommandOptions: ParsableArguments {
    @Option(
        name: [.customShort("e", allowingJoined: true), .long], parsing: .unconditionalSingleValue,
        help: ArgumentHelp(
            "Set a variable of COMMAND's environment; without =V, to its value here. Repeatable.", valueName: "K[=V]"))
    var env: [String] = []

    @Option(
        name: [.customShort("w", allowingJoined: true), .long],
        help: ArgumentHelp("Start COMMAND in this directory (default: the user's home).", valueName: "directory"))
    var workdir: String?

    @Option(
        name: [.customShort("u", allowingJoined: true), .long],
        help: ArgumentHelp("Run COMMAND as this user of the guest (default: root).", valueName: "user"))
    var user: String?

    @Flag(
        inversion: .prefixedNo,
        help: "Give COMMAND a terminal (default: if standard input and output are terminals).")
    var tty: Bool?

    @Flag(help: "Let COMMAND use this user's SSH agent, that of SSH_AUTH_SOCK.")
    var ssh = false

    /// The user's SSH agent for the command; nil if it shall have none.
    func sshAgent() throws(AgentVerbError) -> SSHAgentForwarding? { ssh ? try SSHAgentForwarding() : nil }

    /// The request to the guest's agent; nil without a command.
    func request(_ words: [String]) throws(AgentVerbError) -> CommandRequest? {
        guard !words.isEmpty else { return nil }
        var request = CommandRequest(arguments: words)
        var variables = CommandEnvironment()
        for variable in env { try variables.add(variable, asked: "--env") }
        request.environment = variables.values
        request.hasTerminal = tty ?? (Terminal.isTerminal(STDIN_FILENO) && Terminal.isTerminal(STDOUT_FILENO))
        if request.hasTerminal { request.environment.insert(contentsOf: CommandEnvironment.terminal, at: 0) }
        request.hasInput = true
        request.directory = workdir
        request.user = user
        return request
    }

    /// - Throws: a usage error for an option that would have no effect.
    func checkUnused(isDetached: Bool) throws(AerieError) {
        let given = [
            ("--env", !env.isEmpty), ("--workdir", workdir != nil), ("--user", user != nil), ("--tty", tty != nil),
            ("--ssh", ssh),
        ]
        guard let option = given.first(where: \.1)?.0 else { return }
        throw AerieError(
            .usage, asked: option,
            found: isDetached
                ? "the guest's init runs the command of a machine in the background"
                : "no command is given",
            advice: isDetached
                ? ssh
                    ? "use 'aerie exec --ssh'" : "use 'env', 'cd' or 'setpriv' in the command, or 'aerie exec'"
                : "name one behind the image")
    }
}
