extension Configuration {
    /// The answer to a guest that is dead: it does not serve its watchdog, or its kernel reports a panic.
    public enum WatchdogAction: String, CaseIterable, Codable, Sendable {
        /// The guest starts again, as after its own reset. A machine that does not restart on reset ends instead.
        case reboot
        /// The machine ends.
        case powerOff = "poweroff"
        /// The machine is paused, for whoever wants to look at it.
        case pause
        /// The machine has no watchdog. A panic that the guest reports ends it.
        case off = "none"
    }
}
