/// Decides from the results of health checks how a guest is, and when the next check is due.
///
/// Times are nanoseconds of a clock that stands still with the guest: a guest that is paused is not asked. Who runs the checks calls `record`
/// after each, and the next one begins at `nextCheck`, so that two checks never run at once.
package struct HealthPolicy: Equatable, Sendable {
    package enum Outcome: Equatable, Sendable {
        /// The command ended with this code.
        case ended(code: Int32)
        /// The command took longer than the check's limit.
        case timedOut
        /// The command could not be run, for example because the guest does not answer.
        case notRun
    }

    package let check: HealthCheck
    package private(set) var state = HealthState.starting
    /// Failures in a row that count.
    package private(set) var failures = 0
    /// When the next check is due.
    package private(set) var nextCheck: UInt64
    private let endOfStart: UInt64
    private var hasSucceeded = false

    /// - Parameter started: when the guest started.
    package init(_ check: HealthCheck, started: UInt64) {
        self.check = check
        nextCheck = Self.sum(started, check.interval)
        endOfStart = Self.sum(started, check.startPeriod)
    }

    /// Takes the result of a check.
    ///
    /// - Parameters:
    ///   - began: when the check began.
    ///   - ended: when it ended.
    /// - Returns: whether the state has changed.
    package mutating func record(_ outcome: Outcome, began: UInt64, ended: UInt64) -> Bool {
        let before = state
        nextCheck = Self.sum(ended, check.interval)
        if outcome == .ended(code: 0) {
            hasSucceeded = true
            failures = 0
            state = .healthy
        } else if hasSucceeded || began >= endOfStart {
            // A guest that fails for years has no more than its limit.
            failures = min(failures + 1, max(check.retries, 1))
            if failures >= check.retries { state = .unhealthy }
        }
        return state != before
    }

    /// Durations come from users.
    private static func sum(_ time: UInt64, _ duration: UInt64) -> UInt64 {
        let (sum, overflows) = time.addingReportingOverflow(duration)
        return overflows ? .max : sum
    }
}
