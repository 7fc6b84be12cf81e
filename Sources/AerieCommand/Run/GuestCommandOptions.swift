internal import Aerie
internal import AerieMachines
internal import AgentClient
internal import ArgumentParser
internal import Compose
internal import ControlAPI
internal import Glibc
internal import HostSystem
internal import MachineSession

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
        name: [.customShort("i"), .long], help: "Accepted for podman's sake: COMMAND has this program's input anyway.")
    var interactive = false

    @Flag(
        name: [.customShort("t"), .long], inversion: .prefixedNo,
        help: "Give COMMAND a terminal (default: if standard input and output are terminals).")
    var tty: Bool?

    @Flag(help: "Let COMMAND use this user's SSH agent, that of SSH_AUTH_SOCK.")
    var ssh = false

    /// The user's SSH agent for the command; nil if it shall have none.
    func sshAgent() throws(AgentVerbError) -> SSHAgentForwarding? { ssh ? try SSHAgentForwarding() : nil }

    /// The command's variables, as K=V.
    private func variables() throws(AgentVerbError) -> [String] {
        var variables = CommandEnvironment()
        for variable in env { try variables.add(variable, asked: "--env") }
        return variables.values
    }

    /// The request to the guest's agent; nil without a command.
    func request(_ words: [String]) throws(AgentVerbError) -> CommandRequest? {
        guard !words.isEmpty else { return nil }
        var request = CommandRequest(arguments: words)
        request.environment = try variables()
        request.hasTerminal = tty ?? (Terminal.isTerminal(STDIN_FILENO) && Terminal.isTerminal(STDOUT_FILENO))
        if request.hasTerminal { request.environment.insert(contentsOf: CommandEnvironment.terminal, at: 0) }
        request.hasInput = true
        request.directory = workdir
        request.user = user
        return request
    }

    /// What the command at the console of a machine in the background runs with. Without the guest's agent, the options become a part of the
    /// command.
    ///
    /// - Returns: nil where the guest's agent does not start the command.
    /// - Throws: a usage error for an option that would have no effect.
    func consoleSettings(_ settings: inout RunSettings) throws -> CommandSettings? {
        guard settings.image != nil else {
            try checkUnused(isDetached: false)
            return nil
        }
        try checkSSH()
        if settings.bootsImage { return try commandSettings(&settings.command) }
        settings.command = try wordsWithoutAgent(settings.command ?? [])
        return nil
    }

    /// What an image's command runs with, when the guest's agent starts it; the command itself becomes the image's shell where only its
    /// surroundings are asked for.
    ///
    /// - Returns: nil for no command and no such option.
    func commandSettings(_ words: inout [String]?) throws -> CommandSettings? {
        if let user, !GuestCommand.User.isValid(user) { throw Self.wrongUser(user) }
        let settings = CommandSettings(environment: try variables(), directory: workdir, user: user)
        if words?.isEmpty ?? true {
            guard settings != CommandSettings() else { return nil }
            words = GuestCommand.shell
        }
        return settings
    }

    /// What an image's init runs where the guest has no agent: the command, with programs before it that set up what the options ask for.
    ///
    /// - Returns: nil for the image's shell.
    func wordsWithoutAgent(_ words: [String]) throws -> [String]? {
        var command = GuestCommand()
        command.command = words
        command.environment = try variables().map { text in
            let name = text.prefix { $0 != "=" }
            return GuestCommand.Variable(String(name), String(text.dropFirst(name.count + 1)))
        }
        command.directory = workdir
        if let user {
            guard let account = GuestCommand.User(user) else { throw Self.wrongUser(user) }
            command.user = account
        }
        return command.words.isEmpty ? nil : command.words
    }

    private static func wrongUser(_ user: String) -> AerieError {
        AerieError(
            .usage, asked: "--user \(user)", found: "it is not a valid user",
            advice: "use NAME, NAME:GROUP, UID or UID:GID")
    }

    /// - Throws: a usage error for a machine in the background.
    func checkSSH() throws(AerieError) {
        guard ssh else { return }
        throw AerieError(
            .usage, asked: "--ssh",
            found: "the machine runs in the background, and this program ends before its command",
            advice: "use 'aerie exec --ssh'")
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
            found: isDetached ? "the guest goes on from a snapshot" : "no command is given",
            advice: isDetached ? "use 'aerie exec'" : "name one behind the image")
    }
}
