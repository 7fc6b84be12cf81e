import Support

/// What a new process needs before it becomes the command; made before the fork.
struct ChildProgram: ~Copyable {
    /// How far a child came that could not become the command.
    enum Stage: UInt32 {
        case directory = 1
        case user = 2
        case terminal = 3
        case program = 4
    }

    let arguments: StringVector
    /// The arguments behind `/bin/sh FILE`, for files without a known format.
    let shellArguments: [[UInt8]]
    let environment: StringVector
    /// The paths to try, in this order.
    let candidates: [[UInt8]]
    let directory: [UInt8]
    /// Whether `/` will do where the directory does not exist.
    let directoryIsDefault: Bool
    let account: Account

    /// Nil if the heap is exhausted.
    init?(_ request: ExecuteRequest, _ account: Account) {
        self.account = account
        let variables = Self.environment(request, account)
        guard let arguments = StringVector(request.arguments), let environment = StringVector(variables) else {
            return nil
        }
        self.arguments = arguments
        self.environment = environment
        shellArguments = Array(request.arguments[1...])
        candidates = Self.candidates(request.arguments[0], variables)
        directory = request.directory ?? account.home
        directoryIsDefault = request.directory == nil
    }

    private static func environment(_ request: ExecuteRequest, _ account: Account) -> [[UInt8]] {
        var variables: [[UInt8]] = []
        func add(_ name: StaticString, _ value: [UInt8]) {
            var text = [UInt8](name)
            text.append(UInt8(ascii: "="))
            text.add(value)
            variables.append(text)
        }
        add("PATH", [UInt8]("/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
        add("HOME", account.home)
        add("USER", account.name)
        add("LOGNAME", account.name)
        add("SHELL", account.shell)
        add("LANG", [UInt8]("C.UTF-8"))
        if request.hasTerminal { add("TERM", [UInt8]("xterm-256color")) }
        for variable in request.environment {
            // The name and its equals sign.
            let name = variable[...(variable.firstIndex(of: UInt8(ascii: "=")) ?? 0)]
            if let index = variables.firstIndex(where: { $0.starts(with: name) }) {
                variables[index] = variable
            } else {
                variables.append(variable)
            }
        }
        return variables
    }

    private static func candidates(_ program: [UInt8], _ environment: [[UInt8]]) -> [[UInt8]] {
        if program.contains(UInt8(ascii: "/")) { return [program] }
        guard let path = environment.first(where: { $0.starts(withText: "PATH=") }) else { return [program] }
        return Array(path[5...]).parts(separatedBy: UInt8(ascii: ":")).map { directory in
            // An empty part is the working directory.
            var candidate = directory.isEmpty ? [UInt8](".") : directory
            candidate.append(UInt8(ascii: "/"))
            candidate.add(program)
            return candidate
        }
    }

    /// Becomes the command. Runs in the new process, and writes what failed to `report`: the stage and the errno.
    ///
    /// - Parameter streams: input, output and error output; all the same for a terminal.
    func run(_ streams: (Int32, Int32, Int32), isTerminal: Bool, report: Int32) -> Never {
        Process.unblockSignals()
        Process.restoreDescriptorLimit()
        _ = system(SystemCall.setsid)
        _ = system(SystemCall.umask, 0o022)
        if let file = try? FileAccess.open([UInt8]("/proc/self/oom_score_adj"), OpenFlags.write) {
            try? FileAccess.write([UInt8]("0"), to: file)
        }
        if isTerminal, system(SystemCall.ioctl, Int(streams.0), Terminal.setControlling, 0) < 0 {
            Self.report(.terminal, Errno.inputOutput, to: report)
        }
        // The three numbers are free: the agent holds /dev/null there.
        _ = system(SystemCall.dup3, Int(streams.0), 0, 0)
        _ = system(SystemCall.dup3, Int(streams.1), 1, 0)
        _ = system(SystemCall.dup3, Int(streams.2), 2, 0)
        let failure = become()
        Self.report(failure.stage, failure.error, to: report)
    }

    private static func report(_ stage: Stage, _ error: Errno, to report: Int32) -> Never {
        var words = (stage.rawValue, UInt32(error.number))
        _ = withUnsafeMutablePointer(to: &words) { system(SystemCall.write, Int(report), Int(bitPattern: $0), 8) }
        Process.end(127)
    }

    /// Why this process has not become the command.
    struct Failure {
        let stage: Stage
        let error: Errno
    }

    /// Becomes the command in this process, on its streams. Returns only by a failure.
    func becomeHere() -> Failure {
        Process.resetSignals()
        Process.unblockSignals()
        _ = system(SystemCall.umask, 0o022)
        return become()
    }

    private func become() -> Failure {
        if let error = becomeUser() { return Failure(stage: .user, error: error) }
        if let error = enterDirectory() { return Failure(stage: .directory, error: error) }
        return Failure(stage: .program, error: execute())
    }

    private func becomeUser() -> Errno? {
        // Only a test's agent is not root, and it starts commands as its own user.
        guard Process.user == 0 || account.user != Process.user else { return nil }
        let groups = account.supplementary
        let results = groups.withUnsafeBufferPointer { groups in
            (
                system(SystemCall.setgroups, groups.count, Int(bitPattern: groups.baseAddress)),
                system(SystemCall.setresgid, Int(account.group), Int(account.group), Int(account.group)),
                system(SystemCall.setresuid, Int(account.user), Int(account.user), Int(account.user))
            )
        }
        let failed = min(results.0, min(results.1, results.2))
        return failed < 0 ? Errno(Int32(-failed)) : nil
    }

    private func enterDirectory() -> Errno? {
        var result = directory.withCString { system(SystemCall.chdir, Int($0)) }
        if result < 0, directoryIsDefault { result = [UInt8]("/").withCString { system(SystemCall.chdir, Int($0)) } }
        return result < 0 ? Errno(Int32(-result)) : nil
    }

    /// Tries the candidates as execvp does.
    private func execute() -> Errno {
        var reason = Errno.noEntry
        for candidate in candidates {
            let result = candidate.withCString {
                system(SystemCall.execve, Int($0), arguments.address, environment.address)
            }
            let error = Errno(Int32(-result))
            if error == .formatError { runByShell(candidate) }
            if error == .accessDenied {
                reason = error
            } else if error != .noEntry, error != .notDirectory {
                reason = error
                break
            }
        }
        return reason
    }

    private func runByShell(_ file: [UInt8]) {
        guard let vector = StringVector([[UInt8]("/bin/sh"), file] + shellArguments) else { return }
        _ = [UInt8]("/bin/sh").withCString {
            system(SystemCall.execve, Int($0), vector.address, environment.address)
        }
    }
}
