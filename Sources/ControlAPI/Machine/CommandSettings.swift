/// What a machine's command runs with, in a guest whose agent starts it at the console.
package struct CommandSettings: Codable, Equatable, Sendable {
    /// `K=V` each, in addition to the agent's default environment.
    package var environment: [String]
    /// Nil for the user's home.
    package var directory: String?
    /// `NAME|UID[:GROUP|GID]`; nil for root.
    package var user: String?

    package init(environment: [String] = [], directory: String? = nil, user: String? = nil) {
        self.environment = environment
        self.directory = directory
        self.user = user
    }
}
