extension JSONValue {
    /// This value with another one's members in addition, also inside of objects. Of two values at one place, the other's stays.
    package func merging(_ other: JSONValue) -> JSONValue {
        guard case .object(let members) = self, case .object(let others) = other else { return other }
        return .object(members.merging(others) { $0.merging($1) })
    }
}
