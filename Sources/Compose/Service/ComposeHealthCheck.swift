/// How a service's guest is asked whether it is well. Durations are in nanoseconds.
package struct ComposeHealthCheck: Equatable, Sendable {
    /// The words of the command; a code of 0 is success.
    package var command: [String]
    package var interval = 30_000_000_000
    package var timeout = 30_000_000_000
    /// Failures before the first success count from here on only.
    package var startPeriod = 0
    /// Failures in a row that make the guest unhealthy.
    package var retries = 3

    init(command: [String]) { self.command = command }

    /// All of it, for a digest.
    var texts: [String] { command + ["\(interval)", "\(timeout)", "\(startPeriod)", "\(retries)"] }
}
