/// The reason why a project file is refused.
package struct ComposeError: Error, Equatable, CustomStringConvertible {
    package let place: ComposePlace
    /// The obstacle, a phrase without a full stop.
    package let found: String
    /// Advice; empty when there is none.
    package let advice: String

    init(_ place: ComposePlace, _ found: String, _ advice: String = "") {
        self.place = place
        self.found = found
        self.advice = advice
    }

    package var description: String { "\(place): \(found)" + (advice.isEmpty ? "" : "; \(advice)") }
}
