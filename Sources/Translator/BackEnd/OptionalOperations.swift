/// Operations of the IR that not every host has. A front end lifts an instruction to a helper where the host lacks its operation.
package struct OptionalOperations: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// `UnaryOperation.countOnes`.
    package static let populationCount = OptionalOperations(rawValue: 1)
    /// `UnaryOperation.countLeadingZeros` and `countTrailingZeros`.
    package static let zeroCounts = OptionalOperations(rawValue: 2)
}
