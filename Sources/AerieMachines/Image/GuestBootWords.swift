/// What the init of Aerie's images is told.
package enum GuestBootWords {
    /// Made in the guest when its init starts the program of the console: the network and shared folders are there then.
    package static let mark = "/run/aerie/up"

    /// What the guest's init runs at its console instead of a shell, for a guest whose commands come through its agent.
    package static let idleCommand = ["sh", "-c", "mkdir -p /run/aerie; >\(mark); exec sleep infinity"]
}
