/// A system call that a filter has refused to a jailed process, which ended because of it.
package struct ForbiddenCall: Equatable, Sendable, CustomStringConvertible {
    let number: UInt32
    let role: ThreadRole

    package var description: String {
        "\(role.text) made the system call '\(SystemCallNames.name(of: number))' (\(number)), which the jail forbids"
    }
}
