import Support

/// `aerie-agent --command`: becomes the machine's command, which the host has put into the initial RAM disk as the record of an EXEC.
///
/// The image's init starts this program at the console. Without a record, the guest waits for commands that come through the agent, or for a
/// record: whoever has put one there writes a line to the FIFO `/run/aerie/start`, and the command takes the console over.
enum MachineCommand {
    private static let file: StaticString = "/run/aerie/command.exec"
    private static let idle: StaticString = """
        mkdir -p /run/aerie; mkfifo -m 600 /run/aerie/start; >/run/aerie/up
        read -r line </run/aerie/start && exec /run/aerie/agent --command
        exec sleep infinity
        """

    /// The exit status is that of a shell where the command cannot start: 127 for no such program, 126 for every other reason.
    static func run() -> Never {
        Process.blockSignals()
        guard let request = request() else { fail([], "the record of the command is damaged", 126) }
        do throws(AgentFailure) {
            guard let program = ChildProgram(request, try Account.find(request.user)) else {
                fail(request.arguments[0], "the guest has too little memory for the command", 126)
            }
            let failure = program.becomeHere()
            let isMissing =
                failure.stage == .program && (failure.error == .noEntry || failure.error == .notDirectory)
            let subject =
                switch failure.stage {
                case .directory: request.directory ?? []
                case .user: request.user ?? []
                case .terminal, .program: request.arguments[0]
                }
            fail(subject, failure.error.text, isMissing ? 127 : 126)
        } catch {
            report(error.text)
            Process.end(126)
        }
    }

    private static func request() -> ExecuteRequest? {
        guard let record = FileAccess.contents(file, limit: AgentLimits.payload + 1) else { return idleRequest }
        guard record.count <= AgentLimits.payload, var request = try? ExecuteRequest(payload: record) else {
            return nil
        }
        // The name of the terminal is the console's.
        let variables = FileAccess.contents("/proc/self/environ")?.parts(separatedBy: 0) ?? []
        if let terminal = variables.first(where: { $0.starts(withText: "TERM=") }) {
            request.environment.insert(terminal, at: 0)
        }
        return request
    }

    private static var idleRequest: ExecuteRequest {
        ExecuteRequest(arguments: [[UInt8]("/bin/sh"), [UInt8]("-c"), [UInt8](idle)])
    }

    private static func report(_ text: [UInt8]) { StandardError.line("aerie: the command of this machine: ", text) }

    private static func fail(_ subject: [UInt8], _ reason: StaticString, _ status: Int) -> Never {
        report(.quoted(subject, reason))
        Process.end(status)
    }
}
