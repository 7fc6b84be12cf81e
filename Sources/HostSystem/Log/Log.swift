/// Takes messages about one machine and passes them to a sink, at a rate that no guest can raise.
///
/// Each pair of subject and cause has a budget of its own, because a guest can repeat whatever it does: `burst` messages at
/// once, and one more for every `interval`. The next message that passes says how many were dropped.
package final class Log: Sendable {
    package static let burst = 5
    /// Nanoseconds.
    package static let interval: UInt64 = 10_000_000_000

    /// Drops every message.
    package static let silent = Log(level: .error) { _ in }

    private struct Budget {
        var left = Log.burst
        /// When `left` last grew, in nanoseconds.
        var grown: UInt64
        var dropped = 0
    }

    private struct Key: Hashable {
        let subject: String
        let cause: String
    }

    private let level: LogLevel
    private let clock: @Sendable () -> UInt64
    private let sink: @Sendable (LogMessage) -> Void
    private let budgets = Monitor<[Key: Budget]>([:])

    /// - Parameters:
    ///   - level: the least important level that passes.
    ///   - clock: nanoseconds of a steady clock.
    ///   - sink: called on any thread, one message at a time for each subject and cause; it must not block.
    package init(
        level: LogLevel, clock: @escaping @Sendable () -> UInt64 = { HostClock.monotonic() },
        sink: @escaping @Sendable (LogMessage) -> Void
    ) {
        self.level = level
        self.clock = clock
        self.sink = sink
    }

    /// Reports something. Any thread; it never blocks.
    ///
    /// - Parameters:
    ///   - subject: the device's or processor's name. The number of subjects is bounded by the machine's configuration.
    ///   - cause: a constant of the program that names the kind of event, never text of the guest's.
    package func note(_ level: LogLevel, _ subject: String, cause: StaticString, _ text: @autoclosure () -> String) {
        guard level <= self.level else { return }
        let key = Key(subject: subject, cause: cause.description)
        let now = clock()
        let dropped = budgets.withLock { budgets -> Int? in
            var budget = budgets[key] ?? Budget(grown: now)
            defer { budgets[key] = budget }
            let growth = (now &- budget.grown) / Self.interval
            if growth > 0 {
                budget.left = min(Self.burst, budget.left + Int(min(growth, UInt64(Self.burst))))
                budget.grown += growth * Self.interval
            }
            guard budget.left > 0 else {
                budget.dropped += 1
                return nil
            }
            budget.left -= 1
            defer { budget.dropped = 0 }
            return budget.dropped
        }
        guard let dropped else { return }
        let suffix = dropped > 0 ? " (\(dropped) more like this were not reported)" : ""
        sink(LogMessage(level: level, subject: subject, text: text() + suffix))
    }
}
