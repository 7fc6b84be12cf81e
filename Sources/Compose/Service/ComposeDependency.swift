/// A service that has to be there before another one starts.
package struct ComposeDependency: Equatable, Sendable {
    package enum Condition: String, CaseIterable, Sendable {
        /// Its guest runs.
        case started = "service_started"
        /// Its health check succeeds.
        case healthy = "service_healthy"
        /// It has ended with code 0.
        case completed = "service_completed_successfully"
    }

    package let service: String
    package let condition: Condition
    package let place: ComposePlace
}
