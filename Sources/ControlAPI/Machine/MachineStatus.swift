/// The state of a machine that is kept, as its monitor has last written it: `status.json` in the machine's directory.
package struct MachineStatus: Codable, Equatable, Sendable {
    package enum State: String, Codable, CaseIterable, Sendable {
        /// Never started.
        case created
        case starting
        case running
        case paused
        /// Ended, and waits until it is started again.
        case restarting
        case exited
    }

    package var state = State.created
    /// The monitor's process; 0 when there is none.
    package var monitor: Int32 = 0
    /// The process that runs the guest; 0 when there is none.
    package var process: Int32 = 0
    /// Nanoseconds since 1970; nil before the first start.
    package var started: UInt64?
    /// Nanoseconds since 1970; nil before the first end.
    package var finished: UInt64?
    /// Nil before the first end.
    package var exitCode: Int32?
    /// Why the machine ended, or why it did not start; nil for an end in order.
    package var error: String?
    /// The `EndKind` of the last run; nil before the first end, and of machines that ended under a program that did not know it.
    package var outcome: String?
    /// How often the restart policy has started the machine.
    package var restarts = 0
    /// Nil without a health check.
    package var health: HealthState?

    package init() {}
}
