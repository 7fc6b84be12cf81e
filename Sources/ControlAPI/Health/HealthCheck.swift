/// How a guest is asked whether it is well: a command that runs in it again and again. Durations are in nanoseconds.
package struct HealthCheck: Codable, Equatable, Sendable {
    /// The words of the command; exit code 0 is success.
    package var command: [String]
    /// Between the end of a check, or the guest's start, and the next check.
    package var interval: UInt64
    /// A check that takes longer has failed.
    package var timeout: UInt64
    /// How long after the guest's start failures do not count, unless a check has succeeded before.
    package var startPeriod: UInt64
    /// Failures in a row that make the guest unhealthy; at least 1.
    package var retries: Int

    /// The defaults are podman's and compose's.
    package init(
        command: [String], interval: UInt64 = 30_000_000_000, timeout: UInt64 = 30_000_000_000,
        startPeriod: UInt64 = 0, retries: Int = 3
    ) {
        self.command = command
        self.interval = interval
        self.timeout = timeout
        self.startPeriod = startPeriod
        self.retries = retries
    }
}
