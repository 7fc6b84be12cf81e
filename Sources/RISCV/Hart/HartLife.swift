/// Whether a hart executes: the states of SBI's hart state management (SBI 2.0, chapter 9).
///
/// Stopping and suspending are complete when the call returns, so that their pending states are never seen.
package enum HartLife: Equatable, Sendable {
    case started
    case stopped
    /// Started, but not at work yet.
    case starting(address: UInt64, opaque: UInt64)
    /// Retentive suspension: the hart goes on at its pc.
    case suspendedRetentively
    /// Non-retentive suspension, which ends at `address`.
    case suspended(address: UInt64, opaque: UInt64)
    /// An interrupt has ended a non-retentive suspension, and the hart is not at work yet.
    case resuming(address: UInt64, opaque: UInt64)
}
