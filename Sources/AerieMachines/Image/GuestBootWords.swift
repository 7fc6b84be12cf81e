/// What the init of Aerie's images is told.
package enum GuestBootWords {
    /// Made in the guest when its init starts the program of the console: the network and shared folders are there then.
    package static let mark = "/run/aerie/up"

    /// What the guest's init runs at its console for a machine whose command the agent starts: the command is in the initial RAM disk. Without
    /// one, the agent does what `idleCommand` does.
    package static let agentCommand = ["/run/aerie/agent", "--command"]

    /// What the guest's init runs at its console instead of a shell, for a guest whose commands come through its agent.
    package static let idleCommand = ["sh", "-c", "mkdir -p /run/aerie; >\(mark); exec sleep infinity"]
}
