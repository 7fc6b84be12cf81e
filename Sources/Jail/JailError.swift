internal import HostSystem

/// A jail that cannot be made, or not as it was asked for.
package struct JailError: Error, Equatable, CustomStringConvertible {
    package let asked: String
    package let found: String
    package let advice: String

    init(asked: String, found: String, advice: String = "") {
        self.asked = asked
        self.found = found
        self.advice = advice
    }

    init(_ asked: String, _ cause: SystemError) {
        self.init(asked: asked, found: "\(cause)")
    }

    package var description: String { advice.isEmpty ? "\(asked): \(found)" : "\(asked): \(found); \(advice)" }
}
