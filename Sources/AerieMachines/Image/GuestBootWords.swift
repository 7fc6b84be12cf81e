/// What the init of Aerie's images is told.
package enum GuestBootWords {
    /// Made in the guest when its init starts the program of the console: the network and shared folders are there then.
    package static let mark = "/run/aerie/up"

    /// Where a guest whose console waits for its command finds the record of it, and the FIFO that gets a line then. Guests of images without an
    /// init of Aerie's, and those whose init is an earlier version's, have no such FIFO.
    package static let (record, start) = ("/run/aerie/command.exec", "/run/aerie/start")

    /// What the guest's init runs at its console for a machine whose command the agent starts: the command is in the initial RAM disk. Without
    /// one, the agent does what `idleCommand` does.
    package static let agentCommand = ["/run/aerie/agent", "--command"]

    /// What the guest's init runs at its console instead of a shell, for a guest whose commands come through its agent.
    package static let idleCommand = [
        "sh", "-c",
        "mkdir -p /run/aerie; mkfifo -m 600 \(start); >\(mark); read -r line <\(start) && exec \(agentCommand.joined(separator: " ")); "
            + "exec sleep infinity",
    ]
}
