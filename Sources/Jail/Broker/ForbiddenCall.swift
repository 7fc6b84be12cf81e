/// A system call that a filter has refused to a jailed process, which ended because of it.
package struct ForbiddenCall: Equatable, Sendable, CustomStringConvertible {
    let number: UInt32
    let role: ThreadRole

    /// The call's name.
    package var callName: String { SystemCallNames.name(of: number) }

    package var description: String {
        "\(role.text) made the system call '\(callName)' (\(number)), which the jail forbids"
    }
}
