/// How a guest with a health check is, as far as its checks tell.
package enum HealthState: String, Codable, CaseIterable, Sendable {
    /// No check has succeeded yet, and not enough have failed.
    case starting
    case healthy
    case unhealthy
}
