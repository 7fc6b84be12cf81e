internal import ControlAPI

/// Decides whether a machine that has ended by itself starts again, and when.
struct RestartSchedule {
    /// Nanoseconds before the first restart; it doubles with each one that follows soon.
    private static let firstPause: UInt64 = 100_000_000
    private static let longestPause: UInt64 = 60_000_000_000
    /// Nanoseconds after which a machine that runs counts as started well.
    private static let success: UInt64 = 10_000_000_000

    private let policy: RestartPolicy
    private var failures = 0
    /// Nanoseconds before the next start.
    private(set) var pause = Self.firstPause

    init(_ policy: RestartPolicy) {
        self.policy = policy
    }

    /// Whether a machine that ended with this code starts again.
    func wants(restart code: Int32) -> Bool {
        switch policy {
        case .no: false
        case .always: true
        case .onFailure(let limit): code != 0 && failures < limit ?? .max
        }
    }

    /// Notes an end that a restart follows.
    ///
    /// - Parameter duration: how long the machine has run, in nanoseconds.
    mutating func note(end code: Int32, after duration: UInt64) {
        let isGood = duration >= Self.success
        pause = isGood ? Self.firstPause : min(pause * 2, Self.longestPause)
        failures = isGood || code == 0 ? 1 : failures + 1
    }
}
