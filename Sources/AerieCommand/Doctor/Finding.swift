/// One thing that the host has or lacks.
struct Finding: Encodable, Equatable {
    enum Status: String, Encodable {
        case ok
        /// Guests run without it, but less well.
        case limited
        /// Something that `aerie` promises does not work.
        case missing
    }

    let name: String
    let status: Status
    /// What was found.
    let reason: String
    /// What to do; empty when there is nothing to do.
    var advice = ""
}
