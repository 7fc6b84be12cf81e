import Support

/// The agent's files in memory, where they outlive the initial RAM disk.
enum AgentFiles {
    static let agent: StaticString = "/run/aerie/agent"

    private static let addresses: StaticString = "/aerie-network"

    /// Whether the host has chosen addresses of this guest's cards.
    static var hasAddresses: Bool { FileAccess.exists(addresses) }

    /// Copies the agent and what the host sends with it, and configures the network by it.
    static func place() {
        copy("/proc/self/exe", to: agent, mode: 0o755)
        copy("/aerie-command", to: "/run/aerie/command.exec", mode: 0o600)
        guard let lines = FileAccess.contents(addresses, limit: AgentLimits.network) else { return }
        try? FileAccess.create(StaticNetwork.file, with: lines, mode: 0o644)
        var hosts = RootDisk.place
        hosts.add("/etc/hosts")
        do throws(AgentFailure) {
            // Addresses and names are there before the guest's first program is.
            try StaticNetwork.apply(lines, hosts: hosts)
        } catch {
            StaticNetwork.report(error)
        }
        replaceScript("/bin/aerie-network", "/run/aerie/network.sh", "/usr/lib/aerie/network")
        replaceScript("/bin/aerie-dhcp", "/run/aerie/dhcp.sh", "/usr/lib/aerie/dhcp")
    }

    /// The image's own program may be of an earlier version, and ask for addresses on every card.
    private static func replaceScript(_ source: StaticString, _ copied: StaticString, _ program: StaticString) {
        var target = RootDisk.place
        target.add(program)
        guard (try? FileFacts.statx(target, followsLinks: true)) != nil else { return }
        copy(source, to: copied, mode: 0o755)
        try? Mount.bind([UInt8](copied), at: target)
    }

    /// Copies a small file; nothing happens where there is none.
    private static func copy(_ source: StaticString, to target: StaticString, mode: Int) {
        guard let from = try? FileAccess.open([UInt8](source), OpenFlags.read),
            let to = try? FileAccess.open(
                [UInt8](target), OpenFlags.write | OpenFlags.create | OpenFlags.truncate, mode: mode)
        else { return }
        while system(SystemCall.sendfile, Int(to.number), Int(from.number), 0, 1 << 20) > 0 {}
    }

    /// A unit that starts the agent beside systemd.
    static func placeUnit() {
        let text: StaticString = """
            [Unit]
            Description=Agent of the virtual machine's host
            [Service]
            ExecStartPre=-/sbin/modprobe -q vmw_vsock_virtio_transport
            ExecStart=/run/aerie/agent
            Restart=always
            OOMScoreAdjust=-1000
            TasksMax=infinity
            # Commands of the host outlive a restart of the agent.
            KillMode=process

            """
        Mount.makeDirectory("/run/systemd")
        Mount.makeDirectory("/run/systemd/system")
        Mount.makeDirectory("/run/systemd/system/multi-user.target.wants")
        try? FileAccess.create("/run/systemd/system/aerie-agent.service", with: [UInt8](text), mode: 0o644)
        let target: StaticString = "../aerie-agent.service"
        let link: StaticString = "/run/systemd/system/multi-user.target.wants/aerie-agent.service"
        _ = system(SystemCall.symlinkat, Int(target.utf8Start), OpenFlags.here, Int(link.utf8Start))
    }

    // MARK: Processes

    /// Starts the agent beside the init.
    ///
    /// - Parameter needsDriver: whether the driver of sockets is to be found on the root disk.
    static func start(needsDriver: Bool) {
        guard needsDriver else {
            startProgram([UInt8](agent), [[UInt8](agent)])
            return
        }
        let shell = [UInt8]("/bin/sh")
        let script: StaticString = "/sbin/modprobe -q vmw_vsock_virtio_transport; exec /run/aerie/agent"
        startProgram(shell, [shell, [UInt8]("-c"), [UInt8](script)])
    }

    /// Starts a program as a process with a session of its own and no streams.
    ///
    /// - Returns: its number, or nil where no process can be made.
    @discardableResult
    static func startProgram(_ path: [UInt8], _ words: [[UInt8]]) -> Int32? {
        guard let process = try? Process.fork() else { return nil }
        guard process == 0 else { return process }
        _ = system(SystemCall.setsid)
        Process.setPriority(0)
        Process.unblockSignals()
        if let null = try? FileAccess.open([UInt8]("/dev/null"), OpenFlags.readWrite) {
            for number in 0..<3 { _ = system(SystemCall.dup3, Int(null.number), number, 0) }
        }
        if let arguments = StringVector(words),
            let environment = StringVector([[UInt8]("PATH=/usr/sbin:/usr/bin:/sbin:/bin")])
        {
            _ = execute(path, arguments, environment)
        }
        Process.end(127)
    }

    /// Becomes a program. Returns only by a failure.
    static func execute(
        _ path: [UInt8], _ arguments: borrowing StringVector, _ environment: borrowing StringVector
    ) -> Errno {
        let (first, second) = (arguments.address, environment.address)
        return Errno(Int32(-path.withCString { system(SystemCall.execve, Int($0), first, second) }))
    }
}
