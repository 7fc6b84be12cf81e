/// A setting of a service's machine: an option of `aerie run`, and where the file has it.
package struct ComposeSetting: Equatable, Sendable {
    package enum Value: Equatable, Sendable {
        case text(String)
        case flag(Bool)
    }

    /// The option without dashes before it. A list has several settings of one name.
    package let name: String
    package let value: Value
    package let place: ComposePlace
}
